// Clocks that run, times in the viewer's zone, and pages that keep their place while they refresh.
"use strict";
{
  const SECOND = 1000;
  const exact = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "long"});
  const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});

  const seconds = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit", second: "2-digit"});

  function span(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) {
      const minutes = Math.floor(seconds % 3600 / 60);
      return `${Math.floor(seconds / 3600)} h` + (minutes ? ` ${minutes} min` : "");
    }
    return `${Math.floor(seconds / 86400)} d`;
  }

  function ago(at, now) {
    const seconds = Math.trunc((now - at) / SECOND);
    if (Math.abs(seconds) > 30 * 86400) return null;
    if (Math.abs(seconds) < 5) return "just now";
    return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
  }

  function left(until, now) {
    const seconds = Math.max(0, Math.floor((until - now) / SECOND));
    const parts = [Math.floor(seconds % 3600 / 60), String(seconds % 60).padStart(2, "0")];
    if (seconds >= 3600) {
      parts[0] = String(parts[0]).padStart(2, "0");
      parts.unshift(Math.floor(seconds / 3600));
    }
    return parts.join(":");
  }

  function tick() {
    const now = Date.now();
    for (const element of document.querySelectorAll("time[datetime]")) {
      const at = Date.parse(element.dateTime);
      if (!element.dataset.zoned) {
        element.dataset.zoned = "1";
        element.title = exact.format(at);
      }
      let text = null;
      if ("until" in element.dataset) {
        text = left(at, now);
        element.classList.toggle("soon", at - now < 60 * SECOND);
      } else if ("ago" in element.dataset) {
        text = ago(at, now);
      } else if ("clock" in element.dataset) {
        text = clock.format(at);
      } else if ("seconds" in element.dataset) {
        text = seconds.format(at);
      }
      if (text !== null && element.textContent !== text) element.textContent = text;
    }
  }

  // A part that somebody is filling in is left alone until it is sent.
  function isTyping(part) {
    const fields = Array.from(part.querySelectorAll("textarea, input[type=text]"));
    return part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), textarea, select")
      || fields.some((field) => field.value !== field.defaultValue);
  }

  // What a person has opened stays so when htmx replaces a live part of the page.
  function keepPlace() {
    let opened = [];
    document.addEventListener("htmx:beforeSwap", (event) => {
      opened = Array.from(event.detail.target.querySelectorAll("details[open][id]"), (found) => found.id);
    });
    document.addEventListener("htmx:afterSwap", () => {
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
      opened = [];
      tick();
      offerCopies(document);
    });
    document.addEventListener("htmx:beforeRequest", (event) => {
      const live = event.detail.elt;
      if (live.hasAttribute("data-live") && (document.hidden || isTyping(live))) event.preventDefault();
    });
  }

  // Buttons that copy an identifier; where the browser lends no clipboard, none is offered.
  function offerCopies(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  }

  async function copy(button) {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  }

  // What is left open about the items of a list is filled in here, so that nobody loses their place in it.
  function fill(button) {
    for (const open of button.form.querySelectorAll(".verdicts input[value='']:checked")) {
      open.closest(".verdicts").querySelector(`input[value="${button.dataset.fill}"]`).checked = true;
    }
    document.getElementById("filled").textContent = "Filled in. Nothing is decided yet.";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-fill]");
    if (!button) return;
    if (button.matches("[data-copy]")) return copy(button);
    event.preventDefault();
    fill(button);
  });

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    offerCopies(document);
    document.querySelector(".rail-stops [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});
    window.setInterval(tick, SECOND);
    keepPlace();
  });
}

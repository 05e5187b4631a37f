// Clocks that run, times in the viewer's zone, and pages that keep their place while they refresh.
"use strict";
{
  const SECOND = 1000;
  const exact = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "long"});
  const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});

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
      }
      if (text !== null && element.textContent !== text) element.textContent = text;
    }
  }

  // What a person has opened, typed or reached stays so when htmx replaces a live part of the page.
  function keepPlace() {
    let opened = [];
    document.addEventListener("htmx:beforeSwap", (event) => {
      opened = Array.from(event.detail.target.querySelectorAll("details[open][id]"), (found) => found.id);
    });
    document.addEventListener("htmx:afterSwap", () => {
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
      opened = [];
      tick();
    });
    document.addEventListener("htmx:beforeRequest", (event) => {
      const live = event.detail.elt;
      const typing = live.hasAttribute("data-live") && live.contains(document.activeElement)
        && document.activeElement.matches("input, textarea, select");
      if (typing || (live.hasAttribute("data-live") && document.hidden)) event.preventDefault();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    window.setInterval(tick, SECOND);
    keepPlace();
  });
}

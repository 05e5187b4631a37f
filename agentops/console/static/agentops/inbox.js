// The inbox by keyboard: J and K move, A, R and E go to the decision, X ticks, ? shows the keys. What was ticked, and
// where somebody is, stays when the list refreshes.
"use strict";
{
  const OFF = "agentops.keys"; // kept in this browser: "off" turns the keys off (WCAG 2.1.4)
  const links = () => Array.from(document.querySelectorAll(".queue a[data-request]"));
  const boxes = () => Array.from(document.querySelectorAll(".queue input.choose"));
  const shown = () => document.getElementById("request")?.dataset.request;
  const TICKED = "agentops.ticked"; // kept while this tab is open
  let askedFor = null; // the request that somebody has opened, not the page by itself
  const ticked = new Set(); // the values of boxes: a request and its digest

  function mark() {
    for (const link of links()) {
      if (link.dataset.request === shown()) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  function move(by) {
    const all = links();
    const here = all.findIndex((link) => link.dataset.request === shown());
    const next = all[Math.min(all.length - 1, Math.max(0, here + by))];
    if (next && next.dataset.request !== shown()) {
      next.scrollIntoView({block: "nearest"});
      next.click();
    }
  }

  // A key never decides by itself: it leads to the button, which a person then presses.
  function goTo(verdict) {
    const button = document.querySelector(`[data-verdict="${verdict}"]`);
    if (!button) return;
    const code = document.getElementById("code");
    button.form.dataset.chosen = verdict;
    if (verdict === "deny") document.getElementById("reason").focus();
    else if (code && !code.value) code.focus();
    else button.focus();
    button.scrollIntoView({block: "nearest"});
  }

  // Nobody has asked to see it, so it does not count as opened.
  function showFirst() {
    const address = links()[0]?.getAttribute("hx-get");
    if (address) window.htmx.ajax("GET", `${address}?unasked=1`, {target: "#request", swap: "outerHTML"});
  }

  function edit() {
    document.querySelector('#request [data-key="e"]')?.click();
  }

  function tick() {
    const box = document.querySelector(`.queue input.choose[data-of="${shown()}"]`);
    if (box) {
      box.checked = !box.checked;
      note(box);
    }
  }

  function note(box) {
    if (box.checked) ticked.add(box.value);
    else ticked.delete(box.value);
    keep();
    tell("");
  }

  function keep() {
    window.sessionStorage.setItem(TICKED, JSON.stringify(Array.from(ticked)));
  }

  function tell(more) {
    const place = document.getElementById("chosen-told");
    if (!place) return;
    const many = ticked.size === 1 ? "1 request ticked" : `${ticked.size} requests ticked`;
    const text = (ticked.size ? many : "Tick requests to review them together") + more;
    if (place.textContent !== text) place.textContent = text;
  }

  // One that is gone, or is another call by now, is not ticked any more.
  function restore() {
    const present = new Map(boxes().map((box) => [box.value, box]));
    const before = ticked.size;
    for (const value of ticked) {
      if (present.has(value)) present.get(value).checked = true;
      else ticked.delete(value);
    }
    const gone = before - ticked.size;
    keep();
    tell(gone ? `; ${gone} changed or gone` : "");
  }

  function showKeys() {
    document.getElementById("keys").showModal();
  }

  const areOn = () => window.localStorage.getItem(OFF) !== "off";
  const keys = {
    j: () => move(1), k: () => move(-1), a: () => goTo("approve"), r: () => goTo("deny"), e: edit, x: tick, "?": showKeys,
  };

  function isTyping(element) {
    return element.matches("input:not([type=checkbox]), textarea, select") || element.isContentEditable;
  }

  document.addEventListener("keydown", (event) => {
    const typing = isTyping(event.target);
    if (typing && event.key === "Enter" && event.target.id === "code") {
      // Enter in the code field presses what was chosen, and nothing while nothing was.
      event.preventDefault();
      const verdict = event.target.form.dataset.chosen;
      event.target.form.querySelector(`[data-verdict="${verdict || "approve"}"]`)[verdict ? "click" : "focus"]();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const act = keys[event.key.toLowerCase()];
    if (act && areOn()) {
      event.preventDefault();
      act();
    }
  });

  // How much somebody unfolded before deciding is sent along: it is measured, and decides nothing.
  document.addEventListener("click", (event) => {
    const part = event.target.closest?.("#request summary")?.parentElement;
    const told = document.querySelector("[data-unfolded]");
    if (!part || !told || part.dataset.seen) return;
    part.dataset.seen = "1";
    told.value = Number(told.value || 0) + 1;
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-opens]")) showKeys();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
    if (event.target.matches(".queue input.choose")) note(event.target);
    if (event.target.id === "keys-on") window.localStorage.setItem(OFF, event.target.checked ? "on" : "off");
  });

  function showPane() {
    document.querySelector(".inbox").classList.add("showing-request");
  }

  // The request that is open already is not put there again: somebody may be writing there, or deciding. When one that
  // opened by itself is asked for, the server is told so: that is when it counts as opened.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const link = event.detail.elt;
    if (!link.matches(".queue a[data-request]")) return;
    const wasAskedFor = askedFor === link.dataset.request;
    askedFor = link.dataset.request;
    if (link.dataset.request !== shown()) return;
    event.preventDefault();
    showPane();
    if (!wasAskedFor) window.htmx.ajax("GET", link.getAttribute("hx-get"), {target: "#request", swap: "none"});
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "request") {
      showPane();
      document.getElementById("pane").scrollTop = 0;
    }
    if (event.detail.target.id === "queue") restore();
    mark();
    // The first request to arrive in an empty inbox opens by itself, where there is room beside the list.
    if (!shown() && window.matchMedia("(min-width: 60rem)").matches) showFirst();
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("keys-on").checked = areOn();
    for (const value of JSON.parse(window.sessionStorage.getItem(TICKED) || "[]")) ticked.add(value);
    for (const box of boxes()) if (box.checked) ticked.add(box.value); // as the browser remembers a form
    if (document.querySelector(".inbox.showing-request")) askedFor = shown();
    mark();
    restore();
  });
}

// The inbox by keyboard: J and K move, A and R go to the decision, ? shows the keys.
"use strict";
{
  const links = () => Array.from(document.querySelectorAll(".queue a[data-request]"));
  const shown = () => document.getElementById("request")?.dataset.request;

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

  const keys = {j: () => move(1), k: () => move(-1), a: () => goTo("approve"), r: () => goTo("deny"), "?": showKeys};

  function showKeys() {
    document.getElementById("keys").showModal();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, select");
    if (typing && event.key === "Enter" && event.target.id === "code") {
      // Enter in the code field presses what was chosen, and nothing while nothing was.
      event.preventDefault();
      const verdict = event.target.form.dataset.chosen;
      event.target.form.querySelector(`[data-verdict="${verdict || "approve"}"]`)[verdict ? "click" : "focus"]();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const act = keys[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-opens]")) showKeys();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  function showPane() {
    document.querySelector(".inbox").classList.add("showing-request");
  }

  // The request that is open already is not fetched again: somebody may be writing there.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const link = event.detail.elt;
    if (link.matches(".queue a[data-request]") && link.dataset.request === shown()) {
      event.preventDefault();
      showPane();
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "request") {
      showPane();
      document.getElementById("pane").scrollTop = 0;
    }
    mark();
    // The first request to arrive in an empty inbox opens by itself, where there is room beside the list.
    if (!shown() && window.matchMedia("(min-width: 60rem)").matches) links()[0]?.click();
  });

  document.addEventListener("DOMContentLoaded", mark);
}

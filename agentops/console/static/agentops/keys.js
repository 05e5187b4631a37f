// Security keys: a button begins a ceremony, the key signs, and what the person was doing goes on.
"use strict";
{
  async function send(url, body) {
    const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
    const headers = {"Content-Type": "application/json", "X-CSRFToken": token};
    const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin"});
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.detail);
    return content;
  }

  // What is chosen about the items of a list goes into what is signed, written as the server writes it.
  function itemsOf(button) {
    if (button.dataset.verdict !== "items") return "";
    const said = {};
    for (const [name, verdict] of new FormData(button.form)) {
      if (name.startsWith("item-") && verdict) (said[verdict] ??= []).push(Number(name.slice(5)));
    }
    return ":" + Object.keys(said).sort().map((verdict) => `${verdict}=${said[verdict].sort((a, b) => a - b).join()}`).join(";");
  }

  async function perform(button) {
    const {what, begin, finish, about} = button.dataset;
    const options = await send(begin, {what, about: about ? about + itemsOf(button) : ""});
    const credential = what === "register"
      ? await navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})
      : await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});
    const name = document.getElementById("key-name")?.value || "";
    await send(finish, {what, name, answer: credential.toJSON()});
  }

  // The press on the button was the confirmation; what it belongs to is sent as it stands.
  function goOn(button) {
    const code = button.form?.querySelector("[name=code]");
    if (button.dataset.next) window.location.assign(button.dataset.next);
    else if (button.dataset.verdict) button.click();
    else if (code) {
      code.required = false;
      button.form.requestSubmit();
    } else window.location.reload();
  }

  function complain(button, error) {
    const place = document.querySelector("[data-key-problem]");
    const refused = error.name === "NotAllowedError" ? "No key answered, or you stopped it." : error.message;
    if (place) {
      place.textContent = `${refused} Nothing was done.`;
      place.hidden = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-key][data-begin]");
    if (!button || button.dataset.proved) return;
    if (button.dataset.verdict && button.form.querySelector("[name=code]")?.value !== "") return;
    event.preventDefault();
    event.stopPropagation();
    perform(button).then(() => {
      button.dataset.proved = "1";
      goOn(button);
    }).catch((error) => complain(button, error));
  }, true);
}

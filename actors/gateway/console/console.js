// Lets the browser talk to a security key. The server makes the options and checks the answer; nothing is decided here.
"use strict";

(() => {
  const form = document.getElementById("key-form");
  const button = document.getElementById("tap");
  if (!form || !button) return;
  const status = document.getElementById("key-status");
  const error = document.getElementById("key-error");
  const creating = form.dataset.ceremony === "create";

  const reasons = {
    AbortError: "The browser stopped waiting for the key. Try again.",
    InvalidStateError: "This key is registered already. Use another one.",
    NotAllowedError: "The key was not used in time, or the request was cancelled. Try again.",
    NotSupportedError: "This key cannot do what is asked of it. Use another one.",
    SecurityError: "The browser does not allow security keys on a page of this address.",
  };

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // For browsers without parseCreationOptionsFromJSON, parseRequestOptionsFromJSON and toJSON.
  const parsed = (options) => {
    const name = creating ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    if (PublicKeyCredential[name]) return PublicKeyCredential[name](options);
    const id = (credential) => ({ ...credential, id: bytes(credential.id) });
    const ready = { ...options, challenge: bytes(options.challenge) };
    if (ready.user) ready.user = { ...ready.user, id: bytes(ready.user.id) };
    if (ready.excludeCredentials) ready.excludeCredentials = ready.excludeCredentials.map(id);
    if (ready.allowCredentials) ready.allowCredentials = ready.allowCredentials.map(id);
    return ready;
  };

  const json = (credential) => {
    if (credential.toJSON) return credential.toJSON();
    const { response } = credential;
    const parts = { clientDataJSON: text(response.clientDataJSON) };
    for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[part]) parts[part] = text(response[part]);
    }
    if (response.getTransports) parts.transports = response.getTransports();
    const clientExtensionResults = credential.getClientExtensionResults();
    return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts, clientExtensionResults };
  };

  const fail = (message) => {
    status.textContent = "";
    error.querySelector("p").textContent = message;
    error.hidden = false;
    button.disabled = false;
    button.focus();
  };

  const ask = async () => {
    if (!window.PublicKeyCredential) {
      fail("This browser cannot use security keys here. Use another browser, or open this page over HTTPS.");
      return;
    }
    error.hidden = true;
    button.disabled = true;
    status.textContent = "Waiting for your key…";
    try {
      const publicKey = parsed(JSON.parse(form.dataset.options).publicKey);
      const credential = await navigator.credentials[creating ? "create" : "get"]({ publicKey });
      document.getElementById("response").value = JSON.stringify(json(credential));
      form.submit();
    } catch (cause) {
      fail(reasons[cause.name] || "Something went wrong with the key. Try again.");
    }
  };

  button.addEventListener("click", ask);
})();

// What the SDK asks an application for: somewhere to keep credentials, and a
// way to send the user to the authorization server.
export class Provider {
  #store;

  // `store` has the methods get and set; it outlives the way through the sign-in.
  constructor({ name, redirectUrl, redirect, store }) {
    this.#store = store;
    this.redirectUrl = redirectUrl;
    this.redirectToAuthorization = redirect;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirectUrl],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
      response_types: ["code"],
    };
  }

  state() {
    const state = crypto.randomUUID();
    this.#store.set("state", state);
    return state;
  }

  // The SDK leaves this comparison to the application.
  expects(callbackParameters) {
    return callbackParameters.get("state") === this.#store.get("state");
  }

  clientInformation = () => this.#store.get("client");
  saveClientInformation = (client) => this.#store.set("client", client);

  tokens = () => this.#store.get("tokens");
  saveTokens = (tokens) => this.#store.set("tokens", tokens);

  codeVerifier = () => this.#store.get("verifier");
  saveCodeVerifier = (verifier) => this.#store.set("verifier", verifier);

  discoveryState = () => this.#store.get("discovery");
  saveDiscoveryState = (discovery) => this.#store.set("discovery", discovery);
}

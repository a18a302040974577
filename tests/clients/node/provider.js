// What the SDK asks an application for: somewhere to keep credentials, and a
// way to send the user somewhere. Here the test is the user.
export class MemoryProvider {
  redirectUrl = "http://127.0.0.1:7777/callback";

  clientMetadata = {
    client_name: "the TypeScript client",
    redirect_uris: [this.redirectUrl],
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code"],
    response_types: ["code"],
  };

  #kept = {};
  #authorizationUrl;

  clientInformation = () => this.#kept.client;
  saveClientInformation = (client) => {
    this.#kept.client = client;
  };

  tokens = () => this.#kept.tokens;
  saveTokens = (tokens) => {
    this.#kept.tokens = tokens;
  };

  codeVerifier = () => this.#kept.verifier;
  saveCodeVerifier = (verifier) => {
    this.#kept.verifier = verifier;
  };

  discoveryState = () => this.#kept.discovery;
  saveDiscoveryState = (discovery) => {
    this.#kept.discovery = discovery;
  };

  redirectToAuthorization = (url) => {
    this.#authorizationUrl = url.href;
  };

  // Where the user was sent since the last time, if anywhere.
  takeAuthorizationUrl() {
    const url = this.#authorizationUrl;
    this.#authorizationUrl = undefined;
    return url;
  }
}

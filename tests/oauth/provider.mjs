// oidc-provider, unmodified: an OAuth server that we did not write. Prints its address as one line of JSON and ends with its standard input.
// Signing in and consenting are answered by themselves, as whoever the last `/as/JSON` said; everything else is the library's.
import { randomBytes } from "node:crypto";
import http from "node:http";
import Provider from "oidc-provider";

// The library tells its news by console.log; standard output is for the one line that is read.
const say = console.log.bind(console);
console.log = console.info = console.error;
const PERSON = "ana@directory.example";
const [callback, signOnCallback] = process.argv.slice(2);
const secret = () => randomBytes(32).toString("base64url");
const [codeSecret, machineSecret, peopleSecret] = [secret(), secret(), secret()];
let who = { sub: PERSON };

const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "code", client_secret: codeSecret, redirect_uris: [callback], response_types: ["code"],
        grant_types: ["authorization_code", "refresh_token"], token_endpoint_auth_method: "client_secret_post",
      },
      {
        client_id: "machine", client_secret: machineSecret, redirect_uris: [], response_types: [],
        grant_types: ["client_credentials"], token_endpoint_auth_method: "client_secret_post", scope: "api",
      },
      { client_id: "people", client_secret: peopleSecret, redirect_uris: [signOnCallback], response_types: ["code"] },
    ],
    cookies: { keys: [secret()] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...who, sub: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: () => true,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ["openid", "api", "email", "profile", "groups"],
  });
  const answer = provider.callback();

  async function interact(request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (who.denies) return provider.interactionFinished(request, response, { error: "access_denied", error_description: "not today" });
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { accountId: who.sub } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const result = { consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  }

  server.on("request", (request, response) => {
    if (request.url.startsWith("/as/")) {
      who = JSON.parse(decodeURIComponent(request.url.slice("/as/".length)));
      return response.end();
    }
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    return interact(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  say(JSON.stringify({ issuer, person: PERSON, code_secret: codeSecret, machine_secret: machineSecret, people_secret: peopleSecret }));
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));

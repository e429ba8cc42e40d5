// openid-client, unmodified, against the practice org: everything it needs it finds by discovery. Prints TAP from the number given.
const { pathToFileURL } = require("node:url");

const org = JSON.parse(process.env.ORG);
let number = Number(process.argv[2]);
const check = (holds, says) => console.log(`${holds ? "ok" : "not ok"} ${number++} - openid-client ${says}`);
const PERSON = "seatwise@integration.example.com";
const CALLBACK = "http://127.0.0.1/callback";

const control = async (path, body) => {
  const answer = await fetch(`${org.base_url}/_practice/${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
};

// A person with a browser and no script: reads each page, fills in its form, follows the last redirect.
async function person(address, decision) {
  let page = await fetch(address, { redirect: "manual" });
  for (const answer of [{ username: PERSON }, { decision }]) {
    const html = await page.text();
    const visit = /name="visit" value="([^"]+)"/.exec(html);
    const action = /method="post" action="([^"]+)"/.exec(html);
    if (visit === null) break;
    const body = new URLSearchParams({ visit: visit[1], ...answer });
    page = await fetch(new URL(action[1], org.base_url), { method: "POST", body, redirect: "manual" });
    if (page.status === 302) return new URL(page.headers.get("location"));
  }
  throw new Error(`the pages lead nowhere: ${page.status}`);
}

async function main() {
  const { default: _, ...client } = await import(pathToFileURL(require.resolve("openid-client")).href);
  const config = await client.discovery(new URL(org.base_url), org.client_id, org.client_secret, undefined, {
    execute: [client.allowInsecureRequests],
  });
  check(config.serverMetadata().token_endpoint === `${org.base_url}/services/oauth2/token`, "finds the endpoints");

  await control(`apps/${org.client_id}`, { pkce: "required", rotation: true });
  const ask = async () => {
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const address = client.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK, scope: "api refresh_token", state, prompt: "consent",
      code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    });
    return { address, expected: { pkceCodeVerifier: verifier, expectedState: state } };
  };
  const refusal = (promise) => promise.then(() => null, (error) => `${error.error}: ${error.error_description}`);

  const denied = await ask();
  const said = await refusal(client.authorizationCodeGrant(config, await person(denied.address, "deny"), denied.expected));
  check(said === "access_denied: end-user denied authorization", "is told that a person pressed Deny");

  const allowed = await ask();
  const there = await person(allowed.address, "allow");
  const tokens = await client.authorizationCodeGrant(config, there, allowed.expected);
  check(tokens.access_token.startsWith("00D") && tokens.refresh_token.startsWith("5Aep"), "gets tokens for a code with PKCE");
  const again = await refusal(client.authorizationCodeGrant(config, there, allowed.expected));
  check(again === "invalid_grant: expired authorization code", "cannot use the code twice");

  const other = await ask();
  const mixed = { ...other.expected, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  const unfit = await refusal(client.authorizationCodeGrant(config, await person(other.address, "allow"), mixed));
  check(unfit === "invalid_request: invalid code verifier", "is refused with another verifier");

  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  check(fresh.refresh_token !== tokens.refresh_token && fresh.scope === "api refresh_token", "refreshes, and gets a rotated token");
  const active = await client.tokenIntrospection(config, fresh.access_token);
  const info = await client.fetchUserInfo(config, fresh.access_token, client.skipSubjectCheck);
  check(active.active && active.username === PERSON && info.preferred_username === PERSON, "learns whose token it is");

  const reused = await refusal(client.refreshTokenGrant(config, tokens.refresh_token));
  const dead = await refusal(client.refreshTokenGrant(config, fresh.refresh_token));
  const expired = "invalid_grant: expired access/refresh token";
  check(reused === expired && dead === expired, "loses the whole grant when it uses a rotated token again");

  const last = await ask();
  const granted = await client.authorizationCodeGrant(config, await person(last.address, "allow"), last.expected);
  await client.tokenRevocation(config, granted.refresh_token);
  const gone = await client.tokenIntrospection(config, granted.access_token);
  check(gone.active === false, "revokes a refresh token, and its access token dies with it");

  await control(`apps/${org.client_id}`, { pkce: "optional", rotation: false });
}

main().catch((error) => {
  console.log(`not ok ${number} - openid-client: ${error.stack}`);
  process.exitCode = 1;
});

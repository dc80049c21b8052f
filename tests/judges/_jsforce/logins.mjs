// Every way in that jsforce knows, and every way to be turned away.

import { createSign } from 'node:crypto';

import jsforce from 'jsforce';

import { ADMIN, APP, CALLBACK, PASSWORD, SECURITY_TOKEN, privateKey, strangersKey } from '../_keys.mjs';
import { VERSION } from '../_org.mjs';

/** A connection with a refresh token, which renews itself. */
export async function connect(org, more = {}) {
  const conn = new jsforce.Connection({ oauth2: org.oauth2, instanceUrl: org.url, version: VERSION, refreshToken: org.refreshToken, ...more });
  const token = await conn.oauth2.refreshToken(org.refreshToken);
  conn.accessToken = token.access_token;
  return conn;
}

const username = async (conn) => (await conn.identity()).username;

async function aRefreshToken(tally, org) {
  const oauth2 = new jsforce.OAuth2(org.oauth2);
  const token = await oauth2.refreshToken(org.refreshToken);
  tally.note(/^00D[0-9A-Za-z]{12}!/.test(token.access_token), 'a refresh answers an access token', token);
  tally.note(typeof token.issued_at === 'string' && token.expires_in === undefined && token.token_type === 'Bearer', 'with a time in text and no end', token);
  tally.note(token.refresh_token === undefined, 'and no other refresh token');
  await tally.refused('one that nobody was given', 'invalid_grant', 'expired access/refresh token', () => oauth2.refreshToken('nonsense'));
  const wrong = (change) => new jsforce.OAuth2({ ...org.oauth2, ...change });
  await tally.refused('a wrong secret', 'invalid_client', 'invalid client credentials', () => wrong({ clientSecret: 'x' }).refreshToken(org.refreshToken));
  await tally.refused('an app that is not there', 'invalid_client_id', 'client identifier invalid', () => wrong({ clientId: 'x' }).refreshToken(org.refreshToken));
  await tally.refused('a grant that is none', 'unsupported_grant_type', 'grant type not supported', () => oauth2.requestToken({ grant_type: 'nonsense' }));
}

async function renewal(tally, org) {
  const conn = await connect(org);
  let refreshed = 0;
  conn.on('refresh', () => { refreshed += 1; });
  await org.control('/tokens/expire', {});
  const answers = await Promise.all([1, 2, 3].map(() => conn.query('SELECT Id FROM Organization')));
  tally.note(answers.every((answer) => answer.totalSize === 1), 'calls with an expired token are repeated');
  tally.note(refreshed === 1, 'after one refresh for all of them', refreshed);
  const bare = new jsforce.Connection({ instanceUrl: org.url, accessToken: '00D000000000000!nonsense', version: VERSION });
  await tally.refused('without a way to renew it is an error', 'INVALID_SESSION_ID', 'Session expired or invalid', () => bare.query('SELECT Id FROM Organization'));
}

async function usernameAndPassword(tally, org) {
  const soap = new jsforce.Connection({ loginUrl: org.url, version: VERSION });
  const user = await soap.login(ADMIN, PASSWORD + SECURITY_TOKEN);
  tally.note(user.id.startsWith('005') && user.organizationId.startsWith('00D'), 'SOAP login says who it is', user);
  tally.note((await username(soap)) === ADMIN, 'and is believed');
  await org.control('/tokens/expire', {});
  tally.note((await soap.query('SELECT Id FROM Organization')).totalSize === 1, 'it logs in again by itself');
  const session = soap.accessToken;
  await soap.logout();
  const after = new jsforce.Connection({ instanceUrl: org.url, accessToken: session, version: VERSION });
  await tally.refused('SOAP logout ends its session', 'INVALID_SESSION_ID', '', () => after.query('SELECT Id FROM Organization'));
  await tally.refused('a wrong password by SOAP', 'Error', 'INVALID_LOGIN', () => new jsforce.Connection({ loginUrl: org.url, version: VERSION }).login(ADMIN, 'wrong'));

  const oauth = new jsforce.Connection({ oauth2: org.oauth2, version: VERSION });
  await oauth.login(ADMIN, PASSWORD + SECURITY_TOKEN);
  tally.note((await username(oauth)) === ADMIN, 'the password grant');
  await tally.refused('with a wrong one', 'invalid_grant', 'authentication failure', () => oauth.login(ADMIN, 'wrong'));
}

async function theAppAlone(tally, org) {
  const conn = new jsforce.Connection({ oauth2: org.oauth2, instanceUrl: org.url, version: VERSION });
  await conn.authorize({ grant_type: 'client_credentials' });
  tally.note((await username(conn)) === 'integration@harbour-lights.example', "client credentials act as the app's user");
}

/** What users of jsforce do for a JWT: they sign it themselves. */
function assertion(key, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'RS256' })}.${part({ iss: APP, sub: ADMIN, aud: 'https://login.salesforce.com', exp: Math.floor(Date.now() / 1000) + 120, ...claims })}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`;
}

async function aSignedAssertion(tally, org) {
  const grant = async (text) => {
    const conn = new jsforce.Connection({ oauth2: { loginUrl: org.url }, instanceUrl: org.url, version: VERSION });
    await conn.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: text });
    return conn;
  };
  tally.note((await username(await grant(assertion(privateKey, {})))) === ADMIN, 'a signed assertion acts as its subject');
  const used = assertion(privateKey, { jti: 'once' });
  await grant(used);
  await tally.refused('its id is used once', 'invalid_grant', '', () => grant(used));
  await tally.refused("a stranger's", 'invalid_grant', 'invalid assertion', () => grant(assertion(strangersKey, {})));
  await tally.refused('for another audience', 'invalid_grant', 'udience', () => grant(assertion(privateKey, { aud: 'https://elsewhere.example' })));
  await tally.refused('of an app that is not there', 'invalid_client_id', 'client identifier invalid', () => grant(assertion(privateKey, { iss: 'nobody' })));
  await tally.refused('that has ended', 'invalid_grant', '', () => grant(assertion(privateKey, { exp: 1_600_000_000 })));
  await tally.refused('for a user that is not there', 'invalid_grant', '', () => grant(assertion(privateKey, { sub: 'nobody@example.com' })));
}

/** Goes through the pages of the browser flow as a browser does: fetch the page, fill in its form, follow to the callback. */
async function consent(authorizeUrl, user, decision = /approve|allow/i) {
  const page = await fetch(authorizeUrl, { redirect: 'manual' });
  if (page.status >= 300 && page.status < 400) return new URL(page.headers.get('location'));
  const html = await page.text();
  const form = html.match(/<form[^>]*>[\s\S]*?<\/form>/i)?.[0];
  if (!form) throw new Error(`no form: ${page.status} ${html.slice(0, 500)}`);
  const attribute = (tag, name) => tag.match(new RegExp(`\\b${name}="([^"]*)"`, 'i'))?.[1]?.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'");
  const body = new URLSearchParams();
  for (const [tag] of form.matchAll(/<input[^>]*>/gi)) {
    if (attribute(tag, 'type') === 'hidden') body.set(attribute(tag, 'name'), attribute(tag, 'value') ?? '');
  }
  body.set('user', user);
  const button = [...form.matchAll(/<button([^>]*)>([^<]*)/gi)].find(([, tag, text]) => decision.test(text) || decision.test(tag));
  if (button && attribute(button[1], 'name')) body.set(attribute(button[1], 'name'), attribute(button[1], 'value') ?? '');
  const target = new URL(attribute(form, 'action') ?? authorizeUrl, authorizeUrl);
  const answer = await fetch(target, { method: 'POST', body, redirect: 'manual' });
  if (!answer.headers.get('location')) throw new Error(`no redirect: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
  return new URL(answer.headers.get('location'), authorizeUrl);
}

async function inTheBrowser(tally, org) {
  const oauth2 = new jsforce.OAuth2({ loginUrl: org.url, clientId: APP, clientSecret: 'judged-secret', redirectUri: CALLBACK, useVerifier: true });
  const url = oauth2.getAuthorizationUrl({ scope: 'api id refresh_token', state: 'a b&c' });
  const back = await consent(url, ADMIN);
  tally.note(back.href.startsWith(CALLBACK) && back.searchParams.get('state') === 'a b&c', 'the browser comes back with its state', back.href);
  const code = back.searchParams.get('code');
  const conn = new jsforce.Connection({ oauth2, version: VERSION });
  await conn.authorize(code);
  tally.note((await username(conn)) === ADMIN, 'and the code is worth a token');
  tally.note(typeof conn.refreshToken === 'string', 'and a refresh token');
  await org.control('/tokens/expire', {});
  tally.note((await conn.query('SELECT Id FROM Organization')).totalSize === 1, 'which renews it');
  await tally.refused('a code is worth it once', 'invalid_grant', '', () => oauth2.requestToken(code));

  const other = new jsforce.OAuth2({ loginUrl: org.url, clientId: APP, clientSecret: 'judged-secret', redirectUri: CALLBACK, useVerifier: true });
  const stolen = (await consent(other.getAuthorizationUrl({}), ADMIN)).searchParams.get('code');
  other.codeVerifier = 'x'.repeat(64);
  await tally.refused('without its verifier it is worth nothing', 'invalid_grant', '', () => other.requestToken(stolen));
  const denied = await consent(oauth2.getAuthorizationUrl({ state: 's' }), ADMIN, /deny/i);
  tally.note(denied.searchParams.get('error') === 'access_denied', 'who is denied comes back with an error', denied.href);

  const { refreshToken } = conn;
  const access = conn.accessToken;
  await conn.logout(true);
  await tally.refused('a revoked refresh token is dead', 'invalid_grant', 'expired access/refresh token', () => oauth2.refreshToken(refreshToken));
  const after = new jsforce.Connection({ instanceUrl: org.url, accessToken: access, version: VERSION });
  await tally.refused('and so is what came of it', 'INVALID_SESSION_ID', '', () => after.query('SELECT Id FROM Organization'));
  await tally.refused('what is no token cannot be revoked', 'unsupported_token_type', 'this token type is not supported', () => oauth2.revokeToken('nonsense'));
}

async function whoAmI(tally, org) {
  const conn = await connect(org);
  const who = await conn.identity();
  tally.note(who.user_id.startsWith('005') && who.organization_id.startsWith('00D') && who.user_type === 'STANDARD' && who.active === true, 'the identity says who it is', who);
  tally.note(who.urls.rest.endsWith('/services/data/v{version}/'), 'its addresses have a place for the version', who.urls?.rest);
  const info = await (await fetch(`${org.url}/services/oauth2/userinfo`, { headers: { authorization: `Bearer ${conn.accessToken}` } })).json();
  tally.note(info.user_id === who.user_id && info.preferred_username === who.username, 'userinfo agrees', info);
  const asked = await (await fetch(`${org.url}/services/oauth2/introspect`, { method: 'POST', body: new URLSearchParams({ token: conn.accessToken, token_type_hint: 'access_token', client_id: org.clientId, client_secret: org.clientSecret }) })).json();
  tally.note(asked.active === true && asked.client_id === org.clientId && asked.exp > asked.iat, 'introspection knows when it ends', asked);
}

export default [aRefreshToken, renewal, usernameAndPassword, theAppAlone, aSignedAssertion, inTheBrowser, whoAmI];

// The app, the passwords and the keys of the judges' org: what org.toml leaves out because it is new every time.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ADMIN = 'admin@harbour-lights.example';
export const APP = 'judged-app';
export const CALLBACK = 'http://localhost:1717/OauthRedirect';
export const PASSWORD = 'judged-password';
export const SECURITY_TOKEN = 'JudgedSecurityToken';

const pair = () => generateKeyPairSync('rsa', {
  modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const { privateKey, publicKey } = pair();
export { privateKey };
export const strangersKey = pair().privateKey;

/** The judges' org file, with an app that knows a key; answers where it is. */
export function writeOrgFile(base) {
  const app = `\n[[apps]]\nclient-id = "${APP}"\nclient-secret = "judged-secret"\ncallbacks = ["${CALLBACK}"]\napproved-profiles = ["System Administrator"]\ncertificate = """${publicKey}"""\n`;
  const path = join(mkdtempSync(join(tmpdir(), 'judges-')), 'org.toml');
  writeFileSync(path, readFileSync(base, 'utf8') + app);
  return path;
}

// Starts `gangway sim` on a free port for a judge, and counts what the judge says.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const VERSION = '66.0';

/** A running simulated org, from outside: its address, its app, its control endpoints. */
class Org {
  constructor(document) {
    this.url = document.org;
    this.controlUrl = document.control;
    this.clientId = document.clientId;
    this.clientSecret = document.clientSecret;
    this.refreshToken = document.refreshToken;
  }

  get oauth2() {
    return { loginUrl: this.url, clientId: this.clientId, clientSecret: this.clientSecret };
  }

  /** A control call; its JSON answer. */
  async control(path, body) {
    const options = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(this.controlUrl + path, options);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text === '' ? undefined : JSON.parse(text);
  }
}

/** Hands an org that nobody else uses to a visitor, and stops it afterwards. */
export async function withOrg(orgFile, visit) {
  const flags = ['--output', 'json', 'sim', '--listen', '127.0.0.1:0', '--org-file', orgFile];
  const child = spawn(process.argv[2], flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const first = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
    if (first.done) throw new Error('gangway sim ended before it was up');
    await visit(new Org(JSON.parse(first.value)));
  } finally {
    child.kill();
    await ended;
  }
}

/** Counts checks, shows each, and closes with `N passed, N failed`. */
export class Tally {
  passed = 0;
  failed = 0;

  note(passed, what, why) {
    if (passed) this.passed += 1;
    else this.failed += 1;
    const reason = passed || why === undefined ? '' : `: ${why instanceof Error ? why.stack : JSON.stringify(why)}`;
    console.log(`  ${passed ? 'ok   ' : 'FAIL '} ${what}${reason.slice(0, 1500)}`);
  }

  /** Notes that a call is refused with a code and, if given, words. Hands back the error. */
  async refused(what, code, words, call) {
    try {
      const value = await call();
      this.note(false, what, { 'was not refused': value });
      return undefined;
    } catch (error) {
      const seen = error.errorCode ?? error.name;
      this.note(seen === code && error.message.includes(words), what, { code: seen, message: error.message });
      return error;
    }
  }

  /** Tells every story; one that ends early is a failed one. */
  async run(stories, ...told) {
    for (const story of stories) {
      console.log(`- ${story.name.replace(/([A-Z])/g, ' $1').toLowerCase()}`);
      try {
        await story(this, ...told);
      } catch (error) {
        this.note(false, story.name, error);
      }
    }
  }

  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed || !this.passed ? 1 : 0;
  }
}

export const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The value of the only record of a query. */
export async function only(conn, soql) {
  const { records } = await conn.query(soql);
  if (records.length !== 1) throw new Error(`${soql}: ${records.length} records`);
  return records[0];
}

// Queries through jsforce: pages, its query builder, children, searches, errors.

import jsforce from 'jsforce';

import { only } from '../_org.mjs';

const CROWD = 2_600;

async function pages(tally, org, conn) {
  const people = Array.from({ length: CROWD }, (_, n) => ({ LastName: `Page${String(n).padStart(5, '0')}`, Department: 'Pages' }));
  const results = await conn.sobject('Contact').create(people, { allowRecursive: true, allOrNone: true });
  tally.note(results.every((result) => result.success), 'a crowd comes in');
  const soql = "SELECT Id, LastName FROM Contact WHERE Department = 'Pages' ORDER BY LastName";
  const first = await conn.query(soql);
  tally.note(first.records.length === 2000 && first.totalSize === CROWD && first.done === false, 'a page has 2,000 rows');
  const rest = await conn.queryMore(first.nextRecordsUrl);
  tally.note(rest.records.length === CROWD - 2000 && rest.done === true && rest.nextRecordsUrl === undefined, 'the last one the rest');
  const all = await conn.query(soql, { autoFetch: true, maxFetch: 5000 });
  tally.note(all.records.length === CROWD && new Set(all.records.map((row) => row.Id)).size === CROWD, 'autoFetch neither skips nor repeats');
  const streamed = [];
  await new Promise((resolve, reject) => conn.query(soql, { autoFetch: true, maxFetch: 5000 }).on('record', (row) => streamed.push(row.LastName)).on('end', resolve).on('error', reject).run());
  tally.note(streamed.length === CROWD && streamed[CROWD - 1] === 'Page02599', 'a stream neither', streamed.length);
  const small = await conn.query(soql, { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  tally.note(small.records.length === 200, 'pages are as small as is asked for', small.records.length);
  await tally.refused('a locator that is none', 'INVALID_QUERY_LOCATOR', 'invalid query locator', () => conn.queryMore('01g000000000000AAA-2000'));
}

async function theBuilder(tally, org, conn) {
  const account = await conn.sobject('Account').create({ Name: 'Built' });
  await conn.sobject('Contact').create([{ LastName: 'Ada', AccountId: account.id, Title: 'Pilot' }, { LastName: "O'Hara", AccountId: account.id }, { LastName: 'Zed', AccountId: account.id, Title: 'Cook' }]);
  const contacts = conn.sobject('Contact');
  const quoted = await contacts.findOne({ LastName: "O'Hara" });
  tally.note(quoted?.LastName === "O'Hara", 'a quote is escaped', quoted?.LastName);
  const some = await contacts.find({ AccountId: account.id, Title: { $ne: null } }, 'Id, LastName, Account.Name').sort({ LastName: -1 }).limit(1);
  tally.note(some.length === 1 && some[0].LastName === 'Zed' && some[0].Account.Name === 'Built', 'conditions, order, limit and a parent', some);
  const like = await contacts.find({ AccountId: account.id, LastName: { $like: 'A%' } }).count?.() ?? (await contacts.count({ AccountId: account.id, LastName: { $like: 'A%' } }));
  tally.note(like === 1, 'a pattern is counted', like);
  const listed = await contacts.find({ AccountId: account.id, Title: { $in: ['Pilot', 'Cook'] } });
  tally.note(listed.length === 2, 'a list too', listed.length);
  const since = await contacts.find({ AccountId: account.id, CreatedDate: { $gte: weekAgo() } });
  tally.note(since.length === 3, 'and a time', since.length);
  const withChildren = await conn.sobject('Account').find({ Id: account.id }, 'Id, Name').include('Contacts').select('LastName').orderby('LastName', 'ASC').limit(2).end();
  tally.note(withChildren[0].Contacts.records.map((row) => row.LastName).join() === "Ada,O'Hara", 'children come inside', withChildren[0].Contacts);
  const all = await contacts.select('*').where(`AccountId = '${account.id}'`).limit(1);
  tally.note('MailingAddress' in all[0] || 'MailingCity' in all[0], 'a star is every field of the describe', Object.keys(all[0]).length);
}

function weekAgo() {
  return jsforce.SfDate.toDateTimeLiteral(new Date(Date.now() - 7 * 86_400_000));
}

async function aggregates(tally, org, conn) {
  const { expr0 } = await only(conn, 'SELECT COUNT(Id) FROM Account');
  const { totalSize } = await conn.query('SELECT COUNT() FROM Account');
  tally.note(expr0 === totalSize && expr0 > 0, 'both ways to count agree', [expr0, totalSize]);
  const { records } = await conn.query("SELECT Title t, COUNT(Id) n FROM Contact WHERE Account.Name = 'Built' GROUP BY Title ORDER BY Title NULLS LAST");
  tally.note(records.map((row) => `${row.t}:${row.n}`).join() === 'Cook:1,Pilot:1,null:1', 'groups have their names', records);
}

async function searches(tally, org, conn) {
  await conn.sobject('Contact').create({ LastName: 'Zanzibar', Email: 'zanzibar@example.com' });
  const { searchRecords } = await conn.search('FIND {Zanz*} IN ALL FIELDS RETURNING Contact(Id, Email)');
  tally.note(searchRecords.length === 1 && searchRecords[0].Email === 'zanzibar@example.com', 'a search finds', searchRecords);
  await tally.refused('it needs braces', 'MALFORMED_SEARCH', 'The search term must be enclosed in braces.', () => conn.search('FIND Zanz'));
}

async function errors(tally, org, conn) {
  await tally.refused('a column that is not there', 'INVALID_FIELD', "           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Account'.", () => conn.query('SELECT Id, Foo FROM Account'));
  await tally.refused('an object that is not there', 'INVALID_TYPE', "sObject type 'XYZZY' is not supported.", () => conn.query('SELECT Id FROM XYZZY'));
  await tally.refused('what is no query', 'MALFORMED_QUERY', "unexpected token: 'invalid'", () => conn.query('invalid'));
}

export default [pages, theBuilder, aggregates, searches, errors];

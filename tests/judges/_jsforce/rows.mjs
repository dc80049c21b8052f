// Rows through jsforce: one by one and many at once, and the shape of its errors.

import { only } from '../_org.mjs';

async function aContactLivesAndDies(tally, org, conn) {
  const made = await conn.sobject('Contact').create({ LastName: 'Hopper', FirstName: 'Grace', Email: 'grace@example.com' });
  tally.note(made.success === true && /^003\w{15}$/.test(made.id) && made.errors.length === 0, 'a contact is made', made);
  const row = await conn.sobject('Contact').retrieve(made.id);
  tally.note(row.Name === 'Grace Hopper' && row.attributes.type === 'Contact' && row.Title === null, 'and read', row.Name);
  const changed = await conn.sobject('Contact').update({ Id: made.id, Title: 'Admiral' });
  tally.note(changed.success === true && changed.id === made.id, 'and changed', changed);
  const few = await conn.retrieve('Contact', made.id, { fields: ['Title'] });
  tally.note(few.Title === 'Admiral' && few.LastName === undefined, 'and read in part', few);
  const gone = await conn.sobject('Contact').destroy(made.id);
  tally.note(gone.success === true, 'and deleted', gone);
  await tally.refused('once', 'ENTITY_IS_DELETED', 'entity is deleted', () => conn.sobject('Contact').destroy(made.id));
}

async function upserts(tally, org, conn) {
  const contacts = conn.sobject('Contact');
  const first = await contacts.upsert({ GangwayId__c: 'js-1', LastName: 'Hopper' }, 'GangwayId__c');
  tally.note(first.success && first.created === true, 'an upsert makes', first);
  const again = await contacts.upsert({ GangwayId__c: 'js-1', FirstName: 'Grace' }, 'GangwayId__c');
  tally.note(again.id === first.id && again.created === false, 'and finds again', again);
  const many = await contacts.upsert([{ GangwayId__c: 'js-1', Title: 'x' }, { GangwayId__c: 'js-2', LastName: 'Second' }], 'GangwayId__c');
  tally.note(many.map((one) => one.created).join() === 'false,true', 'many at once', many);
  await contacts.create([{ LastName: 'A', Region__c: 'south' }, { LastName: 'B', Region__c: 'south' }]);
  const error = await tally.refused('a key that two have', 'MULTIPLE_CHOICES', 'Multiple records found', () => contacts.upsert({ Region__c: 'south', Title: 'x' }, 'Region__c'));
  tally.note(error?.data?.length === 2, 'comes with their addresses', error?.data);
}

async function manyAtOnce(tally, org, conn) {
  const results = await conn.sobject('Contact').create([{ LastName: 'One' }, { FirstName: 'No' }, { LastName: 'Three' }]);
  tally.note(results.map((one) => one.success).join() === 'true,false,true', 'each has its own result', results);
  tally.note(results[1].errors[0].statusCode === 'REQUIRED_FIELD_MISSING' && results[1].id === undefined, 'an error has a statusCode', results[1]);
  const none = await conn.sobject('Contact').create([{ LastName: 'One' }, { FirstName: 'No' }], { allOrNone: true });
  tally.note(none[0].errors[0].statusCode === 'ALL_OR_NONE_OPERATION_ROLLED_BACK', 'or none at all', none);
  const crowd = await conn.sobject('Contact').create(Array.from({ length: 450 }, (_, n) => ({ LastName: `Crowd${n}`, Department: 'JsCrowd' })), { allowRecursive: true });
  tally.note(crowd.length === 450 && crowd.every((one) => one.success), '450 go in three calls');
  const ids = crowd.map((one) => one.id);
  const rows = await conn.sobject('Contact').retrieve(ids, { fields: ['LastName'] });
  tally.note(rows.length === 450 && rows[449].LastName === 'Crowd449', 'and are fetched in one');
  const updated = await conn.sobject('Contact').update(ids.slice(0, 3).map((Id) => ({ Id, Title: 'x' })));
  tally.note(updated.every((one) => one.success), 'changed', updated);
  const deleted = await conn.sobject('Contact').destroy(ids, { allowRecursive: true });
  tally.note(deleted.length === 450 && deleted.every((one) => one.success), 'and deleted');
  const all = await conn.query("SELECT COUNT() FROM Contact WHERE Department = 'JsCrowd'", { scanAll: true });
  tally.note(all.totalSize === 450, 'and still seen by scanAll', all.totalSize);
  const byQuery = await conn.sobject('Contact').find({ LastName: 'Three' }).update({ Title: 'found' });
  tally.note(byQuery.length === 1 && byQuery[0].success, 'what a query finds is updated', byQuery);
}

async function errors(tally, org, conn) {
  const contact = (fields) => () => conn.sobject('Contact').create(fields);
  const missing = await tally.refused('a missing field', 'REQUIRED_FIELD_MISSING', 'Required fields are missing: [LastName]', contact({}));
  tally.note(missing?.data?.fields?.join() === 'LastName', 'is named', missing?.data);
  await tally.refused('a field that is not there', 'INVALID_FIELD', "No such column 'Foo__c' on sobject of type Contact", contact({ LastName: 'x', Foo__c: 1 }));
  await tally.refused('an e-mail address that is none', 'INVALID_EMAIL_ADDRESS', 'Email: invalid email address: not an email', contact({ LastName: 'x', Email: 'not an email' }));
  await tally.refused('an object that is not there', 'NOT_FOUND', 'The requested resource does not exist', () => conn.sobject('Foo').create({ Name: 'x' }));
  await tally.refused('a malformed id', 'MALFORMED_ID', '', contact({ LastName: 'x', OwnerId: 'nonsense' }));
  await tally.refused('an id that was never given', 'NOT_FOUND', '', () => conn.sobject('Contact').retrieve('003000000000zzzAAA'));
  await tally.refused('a resource that is not there', 'NOT_FOUND', 'The requested resource does not exist', () => conn.request('/nonsense'));
  await org.control('/faults', { method: 'POST', path: '/data/v*/sobjects/Contact', kind: 'status', status: 503, error_code: 'HTML', count: 1 });
  const html = await tally.refused('a page of HTML', 'ERROR_HTTP_503', '', contact({ LastName: 'x' }));
  tally.note(html?.message?.includes('<html'), 'is handed on', html?.message);
  await org.control('/faults', { method: 'POST', path: '/data/v*/sobjects/Contact', kind: 'status', status: 403, error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'TotalRequests Limit exceeded.', count: 1 });
  await tally.refused('a day that is used up', 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.', contact({ LastName: 'x' }));
}

async function whatChanged(tally, org, conn) {
  const kept = await conn.sobject('Contact').create({ LastName: 'Kept' });
  const gone = await conn.sobject('Contact').create({ LastName: 'Gone' });
  await conn.sobject('Contact').destroy(gone.id);
  await org.control('/clock', { advance_seconds: 120 });
  const { CreatedDate } = await only(conn, `SELECT CreatedDate FROM Contact WHERE Id = '${kept.id}'`);
  const start = new Date(new Date(CreatedDate.replace('+0000', 'Z')).getTime() - 600_000);
  const end = new Date(start.getTime() + 660_000);
  const updated = await conn.sobject('Contact').updated(start, end);
  tally.note(updated.ids.includes(kept.id), 'what was written is listed', updated.latestDateCovered);
  const deleted = await conn.sobject('Contact').deleted(start, end);
  tally.note(deleted.deletedRecords.some((record) => record.id === gone.id), 'what was deleted too', deleted.latestDateCovered);
}

async function headers(tally, org, conn) {
  const lead = await conn.sobject('Lead').create({ LastName: 'Header', Company: 'Acme' }, { headers: { 'Sforce-Auto-Assign': 'FALSE' } });
  const { OwnerId } = await only(conn, `SELECT OwnerId FROM Lead WHERE Id = '${lead.id}'`);
  tally.note(OwnerId === (await conn.identity()).user_id, 'without auto-assignment the creator owns a lead');
  await org.control('/switches', { 'duplicate-rules': 'alert' });
  const twin = { LastName: 'Twin', FirstName: 'Ada', Email: 'twin@example.com', Company: 'Twins' };
  await conn.sobject('Lead').create(twin);
  const error = await tally.refused('a twin', 'DUPLICATES_DETECTED', 'Use one of these records?', () => conn.sobject('Lead').create(twin));
  tally.note(error?.data?.duplicateResut?.allowSave === true, 'comes with its rule', error?.data);
  const allowed = await conn.sobject('Lead').create(twin, { headers: { 'Sforce-Duplicate-Rule-Header': 'allowSave=true' } });
  tally.note(allowed.success, 'and is allowed by the header');
  await org.control('/switches', { 'duplicate-rules': 'off' });
}

export default [aContactLivesAndDies, upserts, manyAtOnce, errors, whatChanged, headers];

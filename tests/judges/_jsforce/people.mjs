// Users, grants and lead conversion through jsforce.

import { only } from '../_org.mjs';

const person = async (conn, name, more = {}) => ({
  Username: `${name}@jsforce.example`, LastName: 'Hopper', Email: `${name}@jsforce.example`, Alias: name.slice(0, 8), TimeZoneSidKey: 'America/New_York',
  LocaleSidKey: 'en_US', EmailEncodingKey: 'UTF-8', LanguageLocaleKey: 'en_US', IsActive: true,
  ProfileId: (await only(conn, "SELECT Id FROM Profile WHERE Name = 'Standard User'")).Id, ...more,
});

async function aUserWithGrants(tally, org, conn) {
  const { id } = await conn.sobject('User').create(await person(conn, 'grace'));
  const sets = await conn.query("SELECT Id FROM PermissionSet WHERE IsOwnedByProfile = false AND Type = 'Regular' AND LicenseId = null ORDER BY Name LIMIT 3");
  const grants = await conn.sobject('PermissionSetAssignment').create(sets.records.map((set) => ({ AssigneeId: id, PermissionSetId: set.Id })));
  tally.note(grants.length === 3 && grants.every((grant) => grant.success), 'three sets are granted in one call', grants);
  const again = await conn.sobject('PermissionSetAssignment').create([{ AssigneeId: id, PermissionSetId: sets.records[0].Id }]);
  tally.note(again[0].errors[0].statusCode === 'DUPLICATE_VALUE' && again[0].errors[0].message.startsWith('Duplicate PermissionSetAssignment.'), 'each once', again);
  const duplicate = await tally.refused('a username twice', 'DUPLICATE_USERNAME', 'Duplicate Username.<br>', async () => conn.sobject('User').create(await person(conn, 'grace')));
  tally.note(duplicate?.data?.fields?.join() === 'Username', 'names its field', duplicate?.data);
  const login = await only(conn, `SELECT Id, IsFrozen FROM UserLogin WHERE UserId = '${id}'`);
  await conn.sobject('UserLogin').update({ Id: login.Id, IsFrozen: true });
  tally.note((await only(conn, `SELECT IsFrozen FROM UserLogin WHERE UserId = '${id}'`)).IsFrozen === true, 'a user is frozen');
  await conn.sobject('User').update({ Id: id, IsActive: false });
  tally.note((await only(conn, `SELECT IsActive FROM User WHERE Id = '${id}'`)).IsActive === false, 'and deactivated');
  const error = await conn.sobject('User').destroy(id).catch((refusal) => refusal);
  tally.note(error instanceof Error, 'and never deleted', error);
}

async function passwords(tally, org, conn) {
  const { id } = await conn.sobject('User').create(await person(conn, 'pass'));
  await conn.soap.setPassword(id, 'correct horse battery 9');
  const reset = await conn.soap.resetPassword(id);
  tally.note(typeof reset.password === 'string' && reset.password.length > 7, 'SOAP sets and resets passwords', reset);
}

async function aLeadIsConverted(tally, org, conn) {
  const lead = (await conn.sobject('Lead').create({ LastName: 'Promoted', FirstName: 'Ada', Company: 'Engines Ltd', Email: 'ada@engines.example', Phone: '+44 20 1', City: 'London' })).id;
  const { MasterLabel: convertedStatus } = (await conn.query('SELECT MasterLabel FROM LeadStatus WHERE IsConverted = true LIMIT 1')).records[0];
  const result = await conn.soap.convertLead({ leadId: lead, convertedStatus, doNotCreateOpportunity: false, opportunityName: 'Engines', overwriteLeadSource: false, sendNotificationEmail: false });
  tally.note(result.success === true && /^001/.test(result.accountId) && /^003/.test(result.contactId) && /^006/.test(result.opportunityId) && result.leadId === lead, 'a lead becomes an account, a contact and an opportunity', result);
  const contact = await conn.sobject('Contact').retrieve(result.contactId);
  tally.note(contact.LastName === 'Promoted' && contact.FirstName === 'Ada' && contact.Email === 'ada@engines.example' && contact.Phone === '+44 20 1' && contact.AccountId === result.accountId, 'the contact has what the lead had', contact);
  tally.note((await conn.sobject('Account').retrieve(result.accountId)).Name === 'Engines Ltd', 'the account its company');
  const row = await only(conn, `SELECT IsConverted, ConvertedContactId, ConvertedAccountId, ConvertedDate, Status FROM Lead WHERE Id = '${lead}'`);
  tally.note(row.IsConverted === true && row.ConvertedContactId === result.contactId && /^\d{4}-\d\d-\d\d$/.test(row.ConvertedDate) && row.Status === convertedStatus, 'the lead knows what became of it', row);
  await tally.refused('and is closed', 'CANNOT_UPDATE_CONVERTED_LEAD', 'cannot reference converted lead', () => conn.sobject('Lead').update({ Id: lead, Title: 'x' }));
  const twice = await conn.soap.convertLead({ leadId: lead, convertedStatus, doNotCreateOpportunity: true, overwriteLeadSource: false, sendNotificationEmail: false });
  tally.note(String(twice.success) === 'false' && [twice.errors].flat().length === 1, 'it is converted once', twice);

  const second = (await conn.sobject('Lead').create({ LastName: 'Merged', Company: 'Engines Ltd' })).id;
  const merged = await conn.soap.convertLead([{ leadId: second, convertedStatus, accountId: result.accountId, contactId: result.contactId, doNotCreateOpportunity: true, overwriteLeadSource: false, sendNotificationEmail: false }]);
  tally.note(merged[0].success === true && merged[0].contactId === result.contactId && !merged[0].opportunityId, 'another joins the same contact', merged);
  const open = (await conn.sobject('Lead').create({ LastName: 'Open', Company: 'Engines Ltd' })).id;
  const wrong = await conn.soap.convertLead({ leadId: open, convertedStatus: 'Open - Not Contacted', doNotCreateOpportunity: true, overwriteLeadSource: false, sendNotificationEmail: false });
  tally.note(String(wrong.success) === 'false', 'only with a status that says so', wrong);
}

async function soapSmallTalk(tally, org, conn) {
  const info = await conn.soap.getUserInfo();
  tally.note(info.userName === 'integration@harbour-lights.example', 'getUserInfo', info);
  const { timestamp } = await conn.soap.getServerTimestamp();
  tally.note(!Number.isNaN(Date.parse(timestamp)), 'getServerTimestamp', timestamp);
  await org.control('/tokens/expire', {});
  tally.note((await conn.soap.getUserInfo()).userName === info.userName, 'an expired session is renewed for SOAP as well');
}

export default [aUserWithGrants, passwords, aLeadIsConverted, soapSmallTalk];

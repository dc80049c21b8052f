// What jsforce learns of an org.

async function objects(tally, org, conn) {
  const { sobjects } = await conn.describeGlobal();
  tally.note(sobjects.some((one) => one.name === 'GroupMember' && one.updateable === false), 'objects are listed', sobjects.length);
  const user = await conn.sobject('User').describe();
  tally.note(user.deletable === false && user.fields.find((field) => field.name === 'Email').length === 128, 'one is described');
  const again = await conn.describe$('User');
  tally.note(again.name === 'User', 'from its cache too');
  const recent = await conn.recent('Contact');
  tally.note(Array.isArray(recent), 'what was used lately', recent?.length);
  const layouts = await conn.sobject('Contact').layouts();
  tally.note(Array.isArray(layouts.layouts) && layouts.recordTypeMappings.length > 0, 'layouts', Object.keys(layouts));
  const compact = await conn.sobject('Contact').compactLayouts();
  tally.note(Array.isArray(compact.compactLayouts), 'compact layouts', Object.keys(compact));
}

async function limits(tally, org, conn) {
  const before = conn.limitInfo.apiUsage?.used ?? (await conn.query('SELECT Id FROM Organization'), conn.limitInfo.apiUsage.used);
  const answer = await conn.limits();
  tally.note(answer.DailyApiRequests.Max > answer.DailyApiRequests.Remaining, 'the day has its calls', answer.DailyApiRequests);
  tally.note(conn.limitInfo.apiUsage.used === before + 1 && conn.limitInfo.apiUsage.limit === answer.DailyApiRequests.Max, 'and every call counts', conn.limitInfo);
}

async function versions(tally, org, conn) {
  const listed = await conn.request(`${org.url}/services/data/`);
  tally.note(listed.at(-1).version === '66.0', 'versions are listed', listed.at(-1));
  await tally.refused('a version that is not there yet', 'NOT_FOUND', '', () => conn.request('/services/data/v99.0/limits'));
  await tally.refused('a retired one', 'UNSUPPORTED_API_VERSION', '', () => conn.request('/services/data/v25.0/limits'));
}

async function whatItHasNot(tally, org, conn) {
  const bulk = await conn.bulk2.query('SELECT Id FROM Contact').catch((error) => error);
  tally.note(bulk instanceof Error && bulk.errorCode !== undefined, 'Bulk is refused in its own words', bulk);
  const tooling = await conn.tooling.query('SELECT Id FROM ApexClass').catch((error) => error);
  tally.note(tooling instanceof Error && tooling.errorCode !== undefined, 'so is Tooling', tooling);
}

export default [objects, limits, versions, whatItHasNot];

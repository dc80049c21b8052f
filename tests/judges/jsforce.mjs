// jsforce (npm) as its users use it, against `gangway sim`.

import jsforce from 'jsforce';

import batches from './_jsforce/batches.mjs';
import describes from './_jsforce/describes.mjs';
import logins, { connect } from './_jsforce/logins.mjs';
import people from './_jsforce/people.mjs';
import queries from './_jsforce/queries.mjs';
import rows from './_jsforce/rows.mjs';
import { Tally, here, withOrg } from './_org.mjs';
import { writeOrgFile } from './_keys.mjs';

const tally = new Tally();
jsforce.Connection._logger.setLogLevel?.('FATAL');
await withOrg(writeOrgFile(here('org.toml')), async (org) => {
  await tally.run(logins, org);
  for (const stories of [rows, queries, batches, describes, people]) {
    await tally.run(stories, org, await connect(org));
  }
});
tally.close();

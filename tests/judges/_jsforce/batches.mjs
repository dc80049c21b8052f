// Composite calls, which jsforce's users make with its request functions.

import { VERSION } from '../_org.mjs';

const DATA = `/services/data/v${VERSION}`;

async function composite(tally, org, conn) {
  const parts = (name, allOrNone) => conn.requestPost('/composite', {
    allOrNone,
    compositeRequest: [
      { method: 'POST', url: `${DATA}/sobjects/Account`, referenceId: 'a', body: { Name: name } },
      { method: 'POST', url: `${DATA}/sobjects/Contact`, referenceId: 'c', body: { LastName: name === 'bad' ? null : 'Child', AccountId: '@{a.id}' } },
    ],
  });
  const good = (await parts('good', true)).compositeResponse;
  tally.note(good.map((part) => part.httpStatusCode).join() === '201,201', 'parts refer to each other', good);
  const bad = (await parts('bad', true)).compositeResponse;
  tally.note(bad[0].body[0].errorCode === 'PROCESSING_HALTED' && bad[1].body[0].errorCode === 'REQUIRED_FIELD_MISSING', 'all or none', bad);
  tally.note((await conn.query("SELECT COUNT() FROM Account WHERE Name = 'bad'")).totalSize === 0, 'none is nothing');
}

async function batchTreeGraph(tally, org, conn) {
  const batch = await conn.requestPost('/composite/batch', { batchRequests: [{ method: 'GET', url: `v${VERSION}/limits` }, { method: 'GET', url: `v${VERSION}/nonsense` }] });
  tally.note(batch.hasErrors === true && batch.results.map((result) => result.statusCode).join() === '200,404', 'a batch', batch.results?.[1]);
  const tree = await conn.requestPost('/composite/tree/Account', { records: [{ attributes: { type: 'Account', referenceId: 'root' }, Name: 'Root', Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'leaf' }, LastName: 'Leaf' }] } }] });
  tally.note(tree.hasErrors === false && tree.results.length === 2, 'a tree', tree);
  const graph = await conn.requestPost('/composite/graph', { graphs: [{ graphId: '1', compositeRequest: [{ method: 'POST', url: `${DATA}/sobjects/Account`, referenceId: 'x', body: { Name: 'Graph' } }] }] });
  tally.note(graph.graphs[0].isSuccessful === true && graph.graphs[0].graphResponse.compositeResponse[0].httpStatusCode === 201, 'a graph', graph);
}

async function slowLocks(tally, org, conn) {
  await org.control('/faults', { path: '/data/v*/composite', kind: 'lock', count: 1 });
  const results = await conn.sobject('Contact').create([{ LastName: 'Locked' }, { LastName: 'Free' }]);
  tally.note(results[0].errors[0]?.statusCode === 'UNABLE_TO_LOCK_ROW' && results[1].success, 'a lock stops one record of many', results);
}

export default [composite, batchTreeGraph, slowLocks];

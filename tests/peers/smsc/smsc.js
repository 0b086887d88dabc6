'use strict';
// An SMSC for tests. What it does with a message is chosen by the last two digits of the destination:
//
//   50        accepts it; the receipt says that it is undeliverable
//   51        accepts it; the receipt comes twice
//   52        accepts it; the receipt comes, and is acknowledged, before the answer
//   53        is throttled twice for each destination, then accepts it as usual
//   54        never answers
//   55        drops the link before the answer, once for each destination, then accepts it as usual
//   56        accepts it; the receipt waits for the next message to any destination, or for `flush`
//   57        refuses it: invalid destination
//   any other accepts it; the receipt says that it was delivered, and comes at once
//
// Receipts that cannot be delivered, or are put off by the client, are kept for the next bind or `flush`.
//
//   node smsc.js [port]     port 0, the default, takes a free one
//
// Environment: SMSC_PASSWORD, the only password that it takes (`secret08` when unset); any system id is fine.
//
// Standard output: `READY <port>`, then one JSON object a line, each with an `event`:
//   bind      kind, system_id, accepted
//   message   id, from, to, text (decoded), esm_class, data_coding, registered_delivery, validity_period, parts, and
//             outcome: accepted, throttled, unanswered, dropped or invalid
//   receipt   id, state, and status: that of the client's answer, or null when the link broke before it
//   closed    kind: a bound link has ended
//
// Standard input, one command a line:
//   flush     deliver every receipt that waits
//   down      drop all links and refuse binds until `up`
//   down N    drop all links and refuse the next N binds
//   up        take binds again
//   stop      end; so does the end of the input

const readline = require('node:readline');
const smpp = require('smpp');

const PASSWORD = process.env.SMSC_PASSWORD ?? 'secret08';
const DELIVERED = { code: 2, stat: 'DELIVRD', err: '000' };
const UNDELIVERABLE = { code: 5, stat: 'UNDELIV', err: '069' };

const links = new Set();
const waiting = []; // receipts for the next bind or flush
const late = []; // receipts for the next message or flush
const seen = new Map(); // destination -> messages to it so far
let refusals = 0; // binds still to be refused
let nextId = 1000;

function say(event, fields) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

function stamp() {
  return new Date().toISOString().replace(/\D/g, '').slice(2, 12);
}

function deliver(receipt, then = () => {}) {
  const link = [...links].reverse().find((one) => one.receives);
  if (!link) {
    waiting.push(receipt);
    return then();
  }
  const { id, from, to, state } = receipt;
  const delivered = state.code === 2 ? '001' : '000';
  const text = `id:${id} sub:001 dlvrd:${delivered} submit date:${stamp()} done date:${stamp()} stat:${state.stat} err:${state.err} text:`;
  let open = true;
  const done = (status) => {
    if (!open) return;
    open = false;
    link.session.removeListener('close', lost);
    say('receipt', { id, state: state.stat, status });
    if (status !== 0) waiting.push(receipt);
    then();
  };
  const lost = () => done(null);
  link.session.once('close', lost);
  const fields = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: to, destination_addr: from,
    esm_class: 4, short_message: text, receipted_message_id: id, message_state: state.code,
  };
  if (!link.session.deliver_sm(fields, (answer) => done(answer.command_status))) lost();
}

function flush(receipts) {
  for (const receipt of receipts.splice(0)) deliver(receipt);
}

function submit(link, pdu) {
  const to = pdu.destination_addr;
  const count = (seen.get(to) ?? 0) + 1;
  seen.set(to, count);
  const kind = to.slice(-2);
  const id = String(nextId++);
  const message = pdu.short_message;
  const told = (outcome) => say('message', {
    id, from: pdu.source_addr, to, text: message.message, esm_class: pdu.esm_class, data_coding: pdu.data_coding,
    registered_delivery: pdu.registered_delivery, validity_period: pdu.validity_period,
    parts: message.udh ? 'several' : 1, outcome,
  });
  const refuse = (status, outcome) => {
    told(outcome);
    link.session.send(pdu.response({ command_status: status }));
  };
  if (kind === '53' && count <= 2) return refuse(smpp.ESME_RTHROTTLED, 'throttled');
  if (kind === '54') return told('unanswered');
  if (kind === '55' && count === 1) {
    told('dropped');
    return link.session.destroy();
  }
  if (kind === '57') return refuse(smpp.ESME_RINVDSTADR, 'invalid');
  accept(link, pdu, kind, { id, from: pdu.source_addr, to, state: kind === '50' ? UNDELIVERABLE : DELIVERED }, told);
}

function accept(link, pdu, kind, receipt, told) {
  told('accepted');
  const answer = () => link.session.send(pdu.response({ message_id: receipt.id }));
  const before = late.splice(0);
  const wanted = (pdu.registered_delivery & 3) !== 0;
  if (wanted && kind === '52') {
    deliver(receipt, answer);
  } else {
    answer();
    if (wanted && kind === '56') late.push(receipt);
    else if (wanted) deliver(receipt);
    if (wanted && kind === '51') deliver(receipt);
  }
  flush(before);
}

function bind(link, pdu) {
  const down = refusals > 0;
  if (down) refusals -= 1;
  const accepted = !down && pdu.password === PASSWORD;
  say('bind', { kind: pdu.command, system_id: pdu.system_id, accepted });
  if (!accepted) {
    const status = down ? smpp.ESME_RBINDFAIL : smpp.ESME_RINVPASWD;
    link.session.send(pdu.response({ command_status: status }));
    return link.session.close();
  }
  link.kind = pdu.command;
  link.receives = pdu.command !== 'bind_transmitter';
  links.add(link);
  link.session.send(pdu.response({ system_id: 'PEER', sc_interface_version: 0x34 }));
  if (link.receives) flush(waiting);
}

const server = smpp.createServer((session) => {
  const link = { session, kind: null, receives: false };
  for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(kind, (pdu) => bind(link, pdu));
  }
  session.on('submit_sm', (pdu) => {
    if (links.has(link)) submit(link, pdu);
    else session.send(pdu.response({ command_status: smpp.ESME_RINVBNDSTS }));
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('error', () => session.destroy());
  session.on('close', () => {
    if (links.delete(link)) say('closed', { kind: link.kind });
  });
});

function down(binds) {
  refusals = binds;
  for (const link of links) link.session.destroy();
}

const commands = {
  flush: () => {
    flush(waiting);
    flush(late);
  },
  down: (count) => down(count === undefined ? Infinity : Number(count) || 0),
  up: () => {
    refusals = 0;
  },
  stop: () => process.exit(0),
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [name, count] = line.trim().split(/\s+/);
    commands[name]?.(count);
  })
  .on('close', () => process.exit(0));

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`READY ${server.address().port}\n`);
});

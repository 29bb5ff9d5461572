// SPDX-License-Identifier: GPL-2.0-or-later
//
// npm's node-qemu at work: node node-qemu.js UNIX-PATH PORT. It negotiates oob and has its ways for each command.

'use strict';
const assert = require('assert');
const {QMPClient} = require('node-qemu');

async function work(client) {
    await client.connect();
    for (let number = 1; number <= 50; number++) {
        assert.strictEqual(await client.execute('guest-sync', {id: number}), number);
        assert.deepStrictEqual(await client.execute('query-name'), {name: process.env.NAME});
    }
    await assert.rejects(client.execute('guest-nonsense'), /has not been found/);
    assert.deepStrictEqual(await client.execute('guest-ping'), {});
}

async function main() {
    const [path, port] = process.argv.slice(2);
    const first = new QMPClient({socketPath: path, oob: true});
    const second = new QMPClient({host: 'localhost', port: Number(port)});
    await work(first);
    await work(second);
    // Its form of exec-oob is one that no QEMU since 3.0 has taken, and is refused in QEMU's words.
    await assert.rejects(first.executeOob('query-yank'), /QMP input member 'control' is unexpected/);
    assert.strictEqual((await first.queryStatus()).running, true);
    // What one does, the other hears of.
    const stopped = new Promise((resolve) => second.once('STOP', resolve));
    await first.execute('stop');
    await stopped;
    await first.close();
    await second.close();
    console.log('done');
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});

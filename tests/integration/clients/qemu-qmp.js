// SPDX-License-Identifier: GPL-2.0-or-later
//
// npm's qemu-qmp at work: node qemu-qmp.js UNIX-PATH PORT. It takes the first packet for the greeting, ends no command
// with a line end, sends no ids, and takes what comes for the answer.

'use strict';
const assert = require('assert');
const QMP = require('qemu-qmp');

function connect(...where) {
    return new Promise((resolve, reject) => {
        const qmp = new QMP();
        qmp.connect(...where, (error) => error ? reject(error) : resolve(qmp));
    });
}

function execute(qmp, command, args = {}) {
    return new Promise((resolve, reject) => {
        qmp.execute(command, args, (error, result) => error ? reject(error) : resolve(result));
    });
}

async function work(qmp) {
    assert(qmp.version.qemu.major >= 5);
    // All in one go: the answers come in the order of the commands.
    const pipelined = [];
    for (let number = 1; number <= 50; number++)
        pipelined.push(execute(qmp, 'guest-sync', {id: number}), execute(qmp, 'query-name'));
    const results = await Promise.all(pipelined);
    for (let number = 1; number <= 50; number++) {
        assert.strictEqual(results[2 * number - 2], number);
        assert.deepStrictEqual(results[2 * number - 1], {name: process.env.NAME});
    }
    await assert.rejects(execute(qmp, 'guest-nonsense'), /has not been found/);
    assert.deepStrictEqual(await execute(qmp, 'guest-ping'), {});
}

async function main() {
    const [path, port] = process.argv.slice(2);
    const first = await connect(path), second = await connect(Number(port), 'localhost');
    await work(first);
    await work(second);
    // What one does, the other hears of.
    const stopped = new Promise((resolve) => second.once('stop', resolve));
    await execute(first, 'stop');
    assert.strictEqual(await stopped, 'STOP');
    first.end();
    second.end();
    console.log('done');
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});

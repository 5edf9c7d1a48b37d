// Holds a lock until its standard input ends, and then releases it: hold-lock.mjs <file>. It renews it every tenth of a
// second, instead of every ten, so that a test need not wait.
import { acquireLock, releaseLock } from '../../dist/files/lock.js'

const { setInterval } = globalThis
globalThis.setInterval = (callback, milliseconds) => setInterval(callback, milliseconds / 100)

const [file] = process.argv.slice(2)
await acquireLock(file)
console.log('held')
for await (const _ of process.stdin);
await releaseLock(file)

// Holds a lock until its standard input ends, then releases it: hold-lock.mjs <file> [--renew-often]. With the option it
// renews the lock every 100 ms instead of every 10 s, so that a test need not wait.
import { acquireLock, releaseLock } from '../../dist/files/lock.js'

const [file, option] = process.argv.slice(2)
const { setInterval } = globalThis
if (option === '--renew-often')
  globalThis.setInterval = (callback, milliseconds) => setInterval(callback, milliseconds / 100)

await acquireLock(file)
console.log('held')
for await (const _ of process.stdin);
await releaseLock(file)

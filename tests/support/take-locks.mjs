// Tries to take each lock of a list at a given time and prints those that it got: take-locks.mjs <file>…
// It prints "ready", reads the time of the first attempt (in ms since 1970) from its standard input, prints "done", and
// lives until its standard input ends, because the lock of a dead process may be taken over.
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { acquireLock } from '../../dist/files/lock.js'

const files = process.argv.slice(2)
const spacing = 20

/** Waits to the millisecond. The last milliseconds are a busy loop. */
async function until(time) {
  await setTimeout(Math.max(0, time - Date.now() - 5))
  while (Date.now() < time);
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
console.log('ready')
const start = Number((await lines.next()).value)
for (const [index, file] of files.entries()) {
  await until(start + spacing * index)
  await acquireLock(file).then(
    () => console.log(file),
    (error) => {
      if (!error.message.includes('is writing into this folder')) throw error
    },
  )
}
console.log('done')
await lines.next()

// Takes each lock of a list at its own moment, and prints those that it got: take-locks.mjs <file>…
// It prints "ready", waits for the moment of the first (in ms since 1970) on its standard input, prints "done", and lives
// until that ends: the lock of a process that is gone may be taken over.
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { acquireLock } from '../../dist/files/lock.js'

const files = process.argv.slice(2)
const spacing = 20

/** To the millisecond, for the last few of which it spins. */
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

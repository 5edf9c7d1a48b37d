// Takes each lock of a list at its own moment, and prints those that it got: take-locks.mjs <start in ms> <file>…
import { setTimeout } from 'node:timers/promises'
import { acquireLock } from '../../dist/files/lock.js'

const [start, ...files] = process.argv.slice(2)
const spacing = 20

/** To the millisecond, for the last few of which it spins. */
async function until(time) {
  await setTimeout(Math.max(0, time - Date.now() - 5))
  while (Date.now() < time);
}

for (const [index, file] of files.entries()) {
  await until(Number(start) + spacing * index)
  await acquireLock(file).then(
    () => console.log(file),
    (error) => {
      if (!error.message.includes('is writing into this folder')) throw error
    },
  )
}
// Alive until all have tried: the lock of a process that is gone may be taken over.
await setTimeout(Number(start) + spacing * files.length + 1000 - Date.now())

// Takes each lock of a list at its own moment, and prints those that it got: take-locks.mjs <start in ms> <file>…
import { acquireLock } from '../../dist/runs/lock.js'

const [start, ...files] = process.argv.slice(2)
for (const [index, file] of files.entries()) {
  while (Date.now() < Number(start) + 20 * index);
  await acquireLock(file).then(
    () => console.log(file),
    (error) => {
      if (!error.message.includes('is writing into this folder')) throw error
    },
  )
}
// Alive until all have tried: the lock of a process that is gone may be taken over.
while (Date.now() < Number(start) + 20 * files.length + 1000);

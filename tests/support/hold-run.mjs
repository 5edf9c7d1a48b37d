// Loaded into the command line by hold.ts: a run that has written the rows of an epoch waits with its checkpoint until
// its process receives a signal. So a test finds it where it wants it, however fast or slow the machine is. The event
// loop goes on; the run trains one more epoch at most.
import { existsSync, promises, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'

const { epoch, run, release, reached } = JSON.parse(process.env.EIGENAE_TEST_HOLD)
const checkpoint = join('checkpoint', 'state.safetensors')
const { rename } = promises

promises.rename = async (from, to) => {
  if (to.endsWith(join(run, checkpoint))) await holdOnce(to.slice(0, -checkpoint.length))
  return rename(from, to)
}
syncBuiltinESMExports()

async function holdOnce(folder) {
  const rows = readFileSync(join(folder, 'metrics.csv'), 'utf8').split('\n').length - 2
  if (rows !== epoch || existsSync(reached)) return
  // A promise alone keeps no process alive.
  const alive = setInterval(() => {}, 1e6)
  const released = Promise.race(release.map((name) => new Promise((resolve) => process.once(name, resolve))))
  writeFileSync(reached, String(process.pid), { flag: 'wx' })
  await released
  clearInterval(alive)
}

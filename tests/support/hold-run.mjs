// Preloaded into the command line by hold.ts. A run that has written the rows of an epoch waits before its checkpoint until
// its process receives a signal, so that a test meets it at a known point on fast and slow machines. The event loop keeps
// running, and the run trains at most one more epoch.
import { existsSync, promises, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import './save-every-epoch.mjs'

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
  // A pending promise does not keep a process alive.
  const alive = setInterval(() => {}, 1e6)
  const released = Promise.race(release.map((name) => new Promise((resolve) => process.once(name, resolve))))
  writeFileSync(reached, String(process.pid), { flag: 'wx' })
  await released
  clearInterval(alive)
}

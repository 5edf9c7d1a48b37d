// Measures `eigenae train` of this build and of another commit's in turns: npm run bench -- --only history --against COMMIT
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { trainOnce } from './process.mjs'
import { median } from './turns.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const builds = fileURLToPath(new URL('.history', import.meta.url))

/** Returns the other build's times and the ratios of this one's to them, each the median over the rounds. */
export async function measureHistory({ against, rounds, epochs, images }, say) {
  const commit = git('rev-parse', '--short', `${against}^{commit}`)
  const roots = { before: buildOf(commit, say), now: root }
  const results = { before: [], now: [] }
  for (let round = 0; round < rounds; round++) {
    // Each build is the first in every other round.
    const order = round % 2 === 0 ? ['before', 'now'] : ['now', 'before']
    for (const name of order) results[name].push(await trainOnce(epochs, images, roots[name]))
    const soFar = ratio(results, (run) => median(run.epochs))
    say(`  round ${round + 1} of ${rounds}: an epoch takes ${soFar.toFixed(3)} times as long so far`)
  }
  return {
    ...{ against: commit, epochs, rounds },
    epoch_ratio: ratio(results, (run) => median(run.epochs)),
    best_epoch_ratio: ratio(results, (run) => Math.min(...run.epochs)),
    process_ratio: ratio(results, (run) => run.seconds),
    epoch_seconds_before: median(results.before.map((run) => median(run.epochs))),
    epoch_seconds: median(results.now.map((run) => median(run.epochs))),
  }
}

/** Returns the median over the rounds of this build's time as a multiple of the other's. */
function ratio({ before, now }, timeOf) {
  return median(now.map((run, round) => timeOf(run) / timeOf(before[round])))
}

/** Returns the folder of a commit's build, which is kept for the next time. */
function buildOf(commit, say) {
  const folder = join(builds, commit)
  if (existsSync(folder)) return folder
  say(`building ${commit} in ${folder} …`)
  const unfinished = `${folder}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(builds, { recursive: true })
  const toStderr = { stdio: ['ignore', 2, 2] }
  execFileSync('git', ['clone', '--quiet', root, unfinished], toStderr)
  execFileSync('git', ['-C', unfinished, 'checkout', '--quiet', commit], toStderr)
  // They are named after their inputs, so that only sources that differ are compiled.
  const objects = 'native/build/objects'
  cpSync(join(root, objects), join(unfinished, objects), { recursive: true })
  execFileSync('npm', ['ci', '--silent'], { ...toStderr, cwd: unfinished })
  renameSync(unfinished, folder)
  return folder
}

function git(...args) {
  return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim()
}

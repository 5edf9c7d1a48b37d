import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin, isCrash, startEigenae, summaryOf } from '../core/command.mjs'
import { withOperations } from '../core/operations.mjs'

const contenders = 5

/**
 * Several processes tag one run at the same time, in half of the tries after another one was killed while it did. All tags
 * must be in notes.json afterwards, and no extra files.
 */
export const tagRaces = {
  name: 'tag-races',
  sample: 3,
  prepare: async (workplace) => {
    const reference = await workplace.referenceRun()
    return {
      tries: 40,
      attempt: async (_, choice) => {
        const run = join(workplace.newFolder(), 'run')
        cpSync(reference, run, { recursive: true })
        const before = readdirSync(run)
        if (choice.chance(0.5)) {
          const killed = { at: choice.between(1, 12), action: 'kill' }
          const args = [bin, 'runs', 'tag', run, 'killed']
          await withOperations(workplace, run, killed, process.execPath, args)
        }
        const tags = Array.from({ length: contenders }, (_, index) => `tag-${index}`)
        const racing = tags.map((tag) => startEigenae(['runs', 'tag', run, tag]).ended)
        return judge(await Promise.all(racing), tags, run, before)
      },
    }
  },
}

function judge(results, tags, run, before) {
  const detail = results.map(summaryOf).join(' | ')
  if (results.some(({ hung }) => hung)) return { outcome: 'hung', detail }
  if (results.some(isCrash)) return { outcome: 'crashed', detail }
  if (results.some(({ code }) => code !== 0)) return { outcome: 'lost', detail }
  const kept = JSON.parse(readFileSync(join(run, 'notes.json'), 'utf8')).tags
  const lost = tags.filter((tag) => !kept.includes(tag))
  if (lost.length > 0) return { outcome: 'lost', detail: `${lost.join(', ')} was lost` }
  const extra = readdirSync(run).filter((name) => ![...before, 'notes.json'].includes(name))
  if (extra.length > 0) return { outcome: 'litter', detail: `${extra.join(', ')} was left behind` }
  return { outcome: 'survived', detail }
}

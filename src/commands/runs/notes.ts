import { usageError } from '../../errors.js'
import { runFiles } from '../../runs/files.js'
import { runsNamed } from '../../runs/find.js'
import { type RunNotes, readNotes, tagProblem, writeNotes } from '../../runs/notes.js'
import { writeMessage } from '../../text/output.js'

export async function addTags(named: string, words: readonly string[]): Promise<void> {
  for (const word of words) {
    const problem = tagProblem(word)
    if (problem !== null) throw usageError({ problem: `tag "${word}" ${problem}`, subject: named })
  }
  await changeNotes(named, (notes) => ({ ...notes, tags: [...new Set([...notes.tags, ...words])] }))
}

export async function removeTags(named: string, words: readonly string[]): Promise<void> {
  await changeNotes(named, (notes) => ({ ...notes, tags: notes.tags.filter((tag) => !words.includes(tag)) }))
}

export async function setNote(
  named: string,
  words: readonly string[],
  { remove }: { readonly remove: boolean },
): Promise<void> {
  const note = words.join(' ').trim()
  if (remove === (note !== ''))
    throw usageError({
      problem: remove ? '--remove takes no text' : 'the text is missing',
      subject: named,
      hint: 'Put the note after the run, or remove it with --remove.',
    })
  await changeNotes(named, (notes) => ({ ...notes, note }))
}

/** Changes the notes on the named runs. All are read before the first is written. */
async function changeNotes(named: string, change: (notes: RunNotes) => RunNotes): Promise<void> {
  const { runs, unreadable } = await runsNamed(named)
  if (unreadable.length > 0) throw unreadable[0]!
  const files = runs.map((folder) => runFiles(folder).notes)
  const changed = files.map((file) => change(readNotes(file)))
  for (const [index, file] of files.entries()) await writeNotes(file, changed[index]!)
  const shared = changed.length === 1 ? `${runs[0]}: ${describe(changed[0]!)}` : `${runs.length} runs changed`
  writeMessage(shared)
}

function describe({ tags, note }: RunNotes): string {
  const parts = [
    ...(tags.length > 0 ? [`tags ${tags.join(', ')}`] : []),
    ...(note === '' ? [] : [`note "${note}"`]),
  ]
  return parts.length === 0 ? 'no tags and no note' : parts.join('; ')
}

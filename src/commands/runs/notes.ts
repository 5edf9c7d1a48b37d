import { isDeepStrictEqual } from 'node:util'
import { usageError } from '../../errors.js'
import { acquireLock, releaseLock } from '../../files/lock.js'
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
  const without = (notes: RunNotes) => ({ ...notes, tags: notes.tags.filter((tag) => !words.includes(tag)) })
  const unchanged = `no run has the tag${words.length === 1 ? '' : 's'} ${words.join(', ')}`
  await changeNotes(named, without, unchanged)
}

export async function setNote(
  named: string,
  words: readonly string[],
  { remove, overwrite }: { readonly remove: boolean; readonly overwrite: boolean },
): Promise<void> {
  const note = words.join(' ').trim()
  if (remove === (note !== ''))
    throw usageError({
      problem: remove ? '--remove takes no text' : 'the text is missing',
      subject: named,
      hint: 'Put the note after the run, or remove it with --remove.',
    })
  const requireSharedNote = (before: readonly NotedRun[]) => {
    const own = before.filter((run) => run.notes.note !== '' && run.notes.note !== note)
    if (overwrite || new Set(before.map((run) => run.notes.note)).size < 2 || own.length === 0) return
    throw usageError({
      problem: `${own.length} of its ${before.length} runs ${own.length === 1 ? 'has a note of its' : 'have notes of their'} own`,
      subject: named,
      details: own.slice(0, mostListed).map(({ folder, notes }) => `${folder}: ${notes.note}`),
      hint: 'Name a single run, or replace these notes with --overwrite.',
    })
  }
  await changeNotes(named, (notes) => ({ ...notes, note }), undefined, requireSharedNote)
}

// More lines would hide the hint.
const mostListed = 10

interface NotedRun {
  readonly folder: string
  readonly notes: RunNotes
}

/**
 * Changes the notes on the named runs. All are read before the first is written.
 * @param check throws if they must not be changed
 * @param unchanged the message if the change changes none of several runs
 */
async function changeNotes(
  named: string,
  change: (notes: RunNotes) => RunNotes,
  unchanged = 'no run changed',
  check?: (before: readonly NotedRun[]) => void,
): Promise<void> {
  const { runs, unreadable } = await runsNamed(named)
  if (unreadable.length > 0) throw unreadable[0]!
  const notesOf = (folder: string) => ({ folder, notes: readNotes(runFiles(folder).notes) })
  const before = runs.map(notesOf)
  check?.(before)
  let changed = 0
  for (const folder of runs) if (await changeNotesOf(folder, change)) changed++
  if (runs.length === 1) writeMessage(`${runs[0]}: ${describe(notesOf(runs[0]!).notes)}`)
  else if (changed === 0) writeMessage(unchanged)
  else writeMessage(`${changed}${changed === runs.length ? '' : ` of ${runs.length}`} runs changed`)
}

const longestWaitMilliseconds = 30_000

/** Changes the notes on a run while other commands that change them wait. Returns whether they differ from before. */
async function changeNotesOf(folder: string, change: (notes: RunNotes) => RunNotes): Promise<boolean> {
  const { notes: file, notesLock } = runFiles(folder)
  await acquireLock(notesLock, longestWaitMilliseconds)
  try {
    const before = readNotes(file)
    const notes = change(before)
    if (isDeepStrictEqual(notes, before)) return false
    await writeNotes(file, notes)
    return true
  } finally {
    await releaseLock(notesLock)
  }
}

function describe({ tags, note }: RunNotes): string {
  const parts = [
    ...(tags.length > 0 ? [`tags ${tags.join(', ')}`] : []),
    ...(note === '' ? [] : [`note "${note}"`]),
  ]
  return parts.length === 0 ? 'no tags and no note' : parts.join('; ')
}

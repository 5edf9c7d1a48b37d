/** The text at the top of a report, which the user writes in Markdown. */
import { realpath, stat } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import MarkdownIt from 'markdown-it'
import type Token from 'markdown-it/lib/token.mjs'
import { exitCode, fileError, usageError } from '../../errors.js'
import { readHead, readInput } from '../../files/read.js'
import { escapeControls } from '../../text/format.js'
import { Html } from '../html.js'

/**
 * Reads a Markdown file and returns it as HTML. HTML in the file is shown as text, links lead only to web pages, e-mail
 * addresses and places in the report, and local pictures become a part of the page, which loads nothing.
 * @throws a usage error if the file or one of its pictures cannot be used.
 */
export async function readReportNotes(file: string): Promise<Html> {
  const text = await readInput(file).catch((error) => {
    throw fileError('read', file, error, exitCode.usage)
  })
  const markdown = markdownParser()
  const tokens = markdown.parse(escapeControls(text), {})
  const folder = await realpath(dirname(file))
  let pictureBytes = 0
  for (const token of tokens) {
    // The report has the first level for its title.
    if (token.type.startsWith('heading')) token.tag = `h${Math.min(6, Number(token.tag.slice(1)) + 1)}`
    for (const child of token.children?.filter(({ type }) => type === 'image') ?? []) {
      const source = markdown.utils.lib.mdurl.decode(String(child.attrGet('src')), '')
      pictureBytes += await embedPicture(child, source, folder, maximumPictureBytes - pictureBytes)
    }
  }
  return new Html(markdown.renderer.render(tokens, markdown.options, {}))
}

const allowedLinks = /^(https?:|mailto:|#)/i

/** `html: false` makes markdown-it escape all HTML, so that its own tags are the only ones. */
function markdownParser(): MarkdownIt {
  const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false })
  // Pictures are checked by `embedPicture`, which sees their paths as they were written.
  markdown.validateLink = (link) => allowedLinks.test(link) || !/^[a-z][a-z\d+.-]*:/i.test(link)
  markdown.renderer.rules.link_open = (tokens, index, options, _, renderer) => {
    const token = tokens[index]!
    if (!allowedLinks.test(String(token.attrGet('href')))) token.attrs = null
    else token.attrSet('rel', 'noreferrer')
    return renderer.renderToken(tokens, index, options)
  }
  return markdown
}

/** The types of pictures, and the beginnings of their files as Latin-1. */
const pictureKinds: Readonly<Record<string, { readonly type: string; readonly beginning: RegExp }>> = {
  '.png': { type: 'image/png', beginning: /^\x89PNG\r\n/ },
  '.jpg': { type: 'image/jpeg', beginning: /^\xff\xd8\xff/ },
  '.jpeg': { type: 'image/jpeg', beginning: /^\xff\xd8\xff/ },
  '.gif': { type: 'image/gif', beginning: /^GIF8[79]a/ },
  '.webp': { type: 'image/webp', beginning: /^RIFF.{4}WEBP/s },
  // Before the root element there may be a byte order mark, a declaration, comments and a document type.
  '.svg': { type: 'image/svg+xml', beginning: /^(\xef\xbb\xbf)?\s*<(svg[\s>]|[?!].*<svg[\s>])/s },
}

/** Largest size, in bytes, of all pictures of the notes together. */
const maximumPictureBytes = 32 << 20

/**
 * Replaces the path of a picture with its content, and returns its size.
 * @param maximum the size, in bytes, that it may have
 */
async function embedPicture(token: Token, source: string, folder: string, maximum: number): Promise<number> {
  const kind = pictureKinds[extname(source).toLowerCase()]
  const file = resolve(folder, source)
  const refuse = (problem: string, subject = file) =>
    usageError({ problem, subject, hint: 'Save a picture beside the notes, or link to it: [text](address).' })
  if (allowedLinks.test(source) || kind === undefined)
    throw refuse('is not a local picture (PNG, JPEG, GIF, WebP or SVG), which the notes can contain', source)
  const path = await realpath(file).catch((error) => {
    throw fileError('read', file, error, exitCode.usage)
  })
  // Whoever made the notes could show any picture of this machine with a link.
  if (path !== file) throw refuse('is a symbolic link, or its path contains one')
  if (!(await stat(file)).isFile()) throw refuse('is not a regular file')
  const { bytes, fileLength } = readHead(file, maximum) ?? { bytes: Buffer.alloc(0), fileLength: 0 }
  if (fileLength > maximum)
    throw refuse(`is too large: the pictures in the notes exceed ${maximumPictureBytes >> 20} MiB`)
  if (!kind.beginning.test(bytes.toString('latin1')))
    throw refuse(`is not a picture of the type ${kind.type}`)
  token.attrSet('src', `data:${kind.type};base64,${bytes.toString('base64')}`)
  return bytes.length
}

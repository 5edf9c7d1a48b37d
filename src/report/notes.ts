/** The text at the top of a report, which the user writes in Markdown. */
import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import MarkdownIt from 'markdown-it'
import type Token from 'markdown-it/lib/token.mjs'
import { exitCode, fileError, usageError } from '../errors.js'
import { readInput } from '../files/read-input.js'
import { type Html, trustedHtml } from '../pages/html.js'
import { escapeControls } from '../text/format.js'

/**
 * Reads a Markdown file and returns it as HTML. HTML in the file is shown as text, links lead only to web pages, e-mail
 * addresses and places in the report, and local pictures become a part of the page, which loads nothing.
 * @throws a usage error if the file or one of its pictures cannot be used.
 */
export async function readNotes(file: string): Promise<Html> {
  const text = await readInput(file).catch((error) => {
    throw fileError('read', file, error, exitCode.usage)
  })
  const markdown = markdownParser()
  const tokens = markdown.parse(escapeControls(text), {})
  for (const token of tokens) {
    if (token.type.startsWith('heading')) token.tag = lowerHeading(token.tag)
    for (const child of token.children ?? [])
      if (child.type === 'image') await embedPicture(child, dirname(file))
  }
  return trustedHtml(markdown.renderer.render(tokens, markdown.options, {}))
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

/** The report has the first level for its title. */
function lowerHeading(tag: string): string {
  return `h${Math.min(6, Number(tag.slice(1)) + 1)}`
}

const pictureTypes: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.svg': 'image/svg+xml',
}

async function embedPicture(token: Token, folder: string): Promise<void> {
  const source = decodeURIComponent(String(token.attrGet('src')))
  const type = pictureTypes[extname(source).toLowerCase()]
  const file = resolve(folder, source)
  if (allowedLinks.test(source) || type === undefined)
    throw usageError({
      problem: 'is not a local picture (PNG, JPEG, GIF, WebP or SVG), which the notes can contain',
      subject: source,
      hint: 'Save the picture beside the notes, or link to it: [text](address).',
    })
  const bytes = await readFile(file).catch((error) => {
    throw fileError('read', file, error, exitCode.usage)
  })
  token.attrSet('src', `data:${type};base64,${bytes.toString('base64')}`)
}

// The words and turns of phrase that scripts/check-prose.mjs rejects, each with the advice that is printed. The reasons are
// in docs/style.md. A space in a pattern stands for any white space. A match does not begin or end within an identifier
// such as optimizer.beta1.

const verbs = 'normal|initial|optim|recogn|summar|serial|visual|minim|maxim|synchron|organ|general|regular'

/** Rules for comments, strings of several words and Markdown. Case does not matter. */
export const anywhere = [
  ['mend(s|ed|ing)?', 'write "fix" or "hint"'],
  ['so (many|much)|for so long', 'write "N" or "the given number of …"'],
  ['(go|goes|going|went|gone) on', 'write "continue" or "resume"'],
  ['where there (is|are|was|were) (none|no|not)', 'write "if there is none"'],
  ['nobody|the one who', 'name the program, the file or the user'],
  ['tells?|(is|are|was|were) (said|told)', 'write "prints", "reports", "warns" or "shows"'],
  ['laid out|stands? twice', 'write "arranged", "duplicate"'],
  ['anew|of before|by the way|in no time', 'write "again", "older", or leave it out'],
  ['penalt(y|ies)', 'write "eigen loss"'],
  ['crews?', 'write "team"'],
  ['bottlenecks?', 'write "latent size" or "latent layer"'],
  [`(${verbs})iz(e|es|ed|er|ers|ing|ation|ations)`, 'write it with "s", as in "normalise"'],
  ['analyz(e|es|ed|er|ing)', 'write "analyse"'],
  ['colors?(?!:)|colored|gray|behaviors?|centered|canceled|labeled', 'use British spelling'],
]

/** Rules for the first words of a sentence in a comment. */
export const sentenceStarts = [
  ['Of|What|Whose|Who', 'name the noun: "The files that …"'],
  ['Where there (is|are)', 'write "If there is …"'],
]

/** Places where a rule does not hold, each with its reason. Without `text`, the whole file is left out. */
export const exceptions = [
  { file: 'docs/style.md', reason: 'quotes the words that it forbids' },
  { file: 'scripts/prose-rules.mjs', reason: 'quotes the words that it forbids' },
  { file: 'README.md', text: 'latent layer (bottleneck)', reason: 'defines the latent layer' },
  { file: 'docs/study.md', text: '"Regularizing by the variance', reason: 'the title of a source' },
  { file: 'docs/study.md', text: '"Regularizing activations in', reason: 'the title of a source' },
  { file: 'docs/study.md', text: 'covariance regularization for', reason: 'the title of a source' },
  {
    file: 'docs/study/confirmation.md',
    text: 'nobody has used',
    reason: 'the protocol stays as it was committed',
  },
  { file: 'tests/lint.test.ts', reason: 'plants forbidden words' },
  { file: 'src/exports/models/onnx.ts', text: 'initializer = 5', reason: "a field of ONNX's format" },
  { file: 'src/plots/theme.ts', text: '"Color Universal Design"', reason: 'the title of a source' },
  { file: 'tests/doctor.test.ts', text: 'Failed to initialize NVML', reason: "a message of NVIDIA's driver" },
]

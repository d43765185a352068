import { isTest, type Sources } from './sources';

/** A comment that describes what follows it, with its text. */
const DOCSTRING = /\/\*\*([\s\S]*?)\*\//g;
const TITLE = /\b(?:it|test|describe)(?:\.each\([\s\S]*?\))?(?:\.concurrent)?\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/g;
/** Before a colon stands the guarantee and after it the reason, unless what stands before it is only a name. */
const LEAST_WORDS = 4;

interface Guarantee {
  readonly path: string;
  readonly sentence: string;
}

/** Numbered sentences of docstrings without a test of that name. */
export function guaranteesWithoutTest(sources: Sources): string[] {
  const titles = [...sources].filter(([path]) => isTest(path)).flatMap(([, text]) => titlesOf(text).map(plain));
  return guaranteesOf(sources)
    .filter(({ sentence }) => !titles.some((title) => title.includes(plain(sentence))))
    .map(({ path, sentence }) => `${path}: ${sentence}`);
}

/** What the files promise in numbered lists: ` * 1. …`. */
export function guaranteesOf(sources: Sources): Guarantee[] {
  return [...sources].flatMap(([path, text]) => {
    if (isTest(path)) return [];
    return [...text.matchAll(DOCSTRING)].flatMap(([, body]) =>
      numbered(body as string).map((item) => ({ path, sentence: firstSentence(item) })),
    );
  });
}

function titlesOf(text: string): string[] {
  return [...text.matchAll(TITLE)].map((match) => (match[2] as string).replace(/\\(.)/g, '$1'));
}

/** The items of a numbered list, each on one line. */
function numbered(body: string): string[] {
  const items: string[] = [];
  let open = false;
  for (const line of body.split('\n').map((line_) => line_.replace(/^\s*\* ?/, ''))) {
    const start = /^(\d+)\. (.*)$/.exec(line);
    if (start !== null) items.push(start[2] as string);
    else if (open && /^ +\S/.test(line)) items.push(`${items.pop()} ${line.trim()}`);
    open = start !== null || (open && /^ +\S/.test(line));
  }
  return items;
}

/** What is set off by stars, or else the first sentence. */
function firstSentence(item: string): string {
  const marked = /^\*{1,2}([^*]+)\*{1,2}/.exec(item);
  if (marked !== null) return marked[1] as string;
  const sentence = /^.*?[.](?=\s|$)/.exec(item)?.[0] ?? item;
  const clause = /^[^:;]*/.exec(sentence)?.[0] ?? sentence;
  return clause.split(' ').length >= LEAST_WORDS ? clause : sentence;
}

/** Without what is not spoken. */
function plain(text: string): string {
  return text
    .replace(/[`*]/g, '')
    .replace(/\{@link (\w+)\}/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '')
    .toLowerCase();
}

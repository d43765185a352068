import { composeQuoted } from '../../../deploy/stack/compose-env';

test.each([
  ['', "''"],
  ['/home/o’neil', "'/home/o’neil'"],
  [`/home/o'neil/$x #1`, String.raw`'/home/o\'neil/$x #1'`],
  [String.raw`a\\b\c`, String.raw`'a\\b\c'`],
])('%j is written so that Docker Compose reads it again', (value, quoted) => {
  expect(composeQuoted('NAME', value)).toBe(quoted);
});

test.each(['two\nlines', String.raw`before\'it`, 'last\\'])('%j cannot be written, and is not shown', (value) => {
  expect(() => composeQuoted('NAME', value)).toThrow(/^NAME has a line end, or a backslash/);
  expect(() => composeQuoted('NAME', value)).not.toThrow(value);
});

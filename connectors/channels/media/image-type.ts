/** Images that some provider takes. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp';

/** So many bytes of a file say what it is. */
export const HEAD_BYTES = 16;

const ENDINGS: Readonly<Record<ImageType, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
};
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const JPEG = Buffer.from([0xff, 0xd8, 0xff]);
/** What servers say that do not know what they have. */
const NOTHING_SAID = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'application/binary']);
const OTHER_NAMES: Readonly<Record<string, ImageType>> = { 'image/jpg': 'image/jpeg', 'image/pjpeg': 'image/jpeg' };

/** What a file is by how it begins. @returns undefined when it is none of the images that are known here */
export function imageTypeOf(head: Buffer): ImageType | undefined {
  if (head.subarray(0, PNG.length).equals(PNG)) return 'image/png';
  if (head.subarray(0, JPEG.length).equals(JPEG)) return 'image/jpeg';
  if (/^GIF8[79]a/.test(head.toString('latin1', 0, 6))) return 'image/gif';
  const isWebp = head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP';
  return isWebp ? 'image/webp' : undefined;
}

/** Whether what a server says of a file can be true. Many say nothing of it. */
export function isSaidOf(contentType: string, type: ImageType): boolean {
  const said = (contentType.split(';', 1)[0] as string).trim().toLowerCase();
  return NOTHING_SAID.has(said) || said === type || OTHER_NAMES[said] === type;
}

/** How the names of such files end. */
export function endingOf(type: ImageType): string {
  return ENDINGS[type];
}

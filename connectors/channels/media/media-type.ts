/** Images that some provider takes. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp';
/** Videos that some provider takes. */
export type VideoType = 'video/mp4' | 'video/quicktime';
/** Other files, which are taken where all are. */
type OtherType = 'application/pdf' | 'application/octet-stream';
export type MediaType = ImageType | VideoType | OtherType;

/** What nothing is known of. */
export const ANYTHING = 'application/octet-stream';

/** So many bytes of a file say what it is. */
export const HEAD_BYTES = 16;

const ENDINGS: Readonly<Record<MediaType, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'video/mp4': 'mp4',
  'video/quicktime': 'mov',
  'application/pdf': 'pdf',
  [ANYTHING]: 'bin',
};
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const JPEG = Buffer.from([0xff, 0xd8, 0xff]);
const PDF = Buffer.from('%PDF-');
/** What servers say that do not know what they have. */
const NOTHING_SAID = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'application/binary']);
const OTHER_NAMES: Readonly<Record<string, MediaType>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'application/mp4': 'video/mp4',
  'video/x-m4v': 'video/mp4',
  'application/x-pdf': 'application/pdf',
};
/** What files of this format say that they are. Pictures and sound alone are kept in the same format, under other brands. */
const MP4_BRAND = /^(?:iso[m2-9]|mp4[12]|avc1|dash|MSNV|mmp4|M4V[ HP]|XAVC|f4v )$/;
const QUICKTIME_BRAND = 'qt  ';

/** What a file is by how it begins. @returns undefined when it is nothing that is known here */
export function mediaTypeOf(head: Buffer): MediaType | undefined {
  if (head.subarray(0, PNG.length).equals(PNG)) return 'image/png';
  if (head.subarray(0, JPEG.length).equals(JPEG)) return 'image/jpeg';
  if (head.subarray(0, PDF.length).equals(PDF)) return 'application/pdf';
  if (/^GIF8[79]a/.test(head.toString('latin1', 0, 6))) return 'image/gif';
  const isWebp = head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP';
  return isWebp ? 'image/webp' : videoTypeOf(head);
}

export function isVideo(type: MediaType): type is VideoType {
  return type.startsWith('video/');
}

function videoTypeOf(head: Buffer): VideoType | undefined {
  if (head.toString('latin1', 4, 8) !== 'ftyp') return undefined;
  const brand = head.toString('latin1', 8, 12);
  if (brand === QUICKTIME_BRAND) return 'video/quicktime';
  return MP4_BRAND.test(brand) ? 'video/mp4' : undefined;
}

/** Whether what a server says of a file can be true. Many say nothing of it. */
export function isSaidOf(contentType: string, type: MediaType): boolean {
  const said = (contentType.split(';', 1)[0] as string).trim().toLowerCase();
  return type === ANYTHING || NOTHING_SAID.has(said) || said === type || OTHER_NAMES[said] === type;
}

/** What the name of such a file begins with, where it has none of its own. */
export function kindOf(type: MediaType): string {
  return /^(?:image|video)/.exec(type)?.[0] ?? 'file';
}

/** How the names of such files end. */
export function endingOf(type: MediaType): string {
  return ENDINGS[type];
}

/** The transactions of a GTID set, one by one: `uuid:1-2,uuid:tag:7` is `uuid:1`, `uuid:2`, `uuid:tag:7`. */
export function gtidsOf(set: string): string[] {
  return set.split(',').flatMap((member) => {
    const [server = '', ...parts] = member.trim().split(':');
    let source = server;
    return parts.flatMap((part) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
      // A tag goes with the numbers that follow it.
      if (first === undefined) source = `${server}:${part}`;
      const count = first === undefined ? 0 : Number(last) - Number(first) + 1;
      return Array.from({ length: count }, (_, n) => `${source}:${Number(first) + n}`);
    });
  });
}

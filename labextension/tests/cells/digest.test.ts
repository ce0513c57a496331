/** Claims about digests: they are those of the kernel, which are Python's. */
import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { sha256 } from '../../src/cells/digest';

describe('sha256', () => {
  it('is SHA-256, whatever the length and the script', () => {
    const texts = [
      '',
      'abc',
      'größer 漢字 🙂',
      ...[55, 56, 63, 64, 65, 1000].map(n => 'x'.repeat(n))
    ];
    for (const text of texts) {
      expect(sha256(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
    }
  });
});

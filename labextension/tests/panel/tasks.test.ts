/** Claims about the cells that are written for the user. */
import { describe, expect, it } from 'vitest';

import { continuation, fixTask } from '../../src/panel/tasks';

describe('tasks', () => {
  it('continue with so many steps', () => {
    expect(continuation(5)).toBe('%agent continue --steps 5');
  });

  it('carry source and error without colours, and no variable is filled in', () => {
    const escape = String.fromCharCode(27);
    const text = fixTask('f"{name} {{x}} {a.b}"', `${escape}[0;31mNameError${escape}[0m: {name}`);
    expect(text.startsWith('%%agent\n')).toBe(true);
    expect(text).toContain('f"{{name}} {{{x}}} {a.b}"');
    expect(text).toContain('NameError: {{name}}');
    expect(text).not.toContain(escape);
  });

  it('keep both ends of what is long', () => {
    const text = fixTask('x', `first${'.'.repeat(50_000)}last`);
    expect(text).toContain('first');
    expect(text).toContain('last');
    expect(text.length).toBeLessThan(8000);
  });
});

/**
 * SHA-256 of a text, as the kernel writes it into a record.
 *
 * Rule: null where the browser has no digests, which is so on pages without TLS that are not on this machine.
 */
export async function sha256(text: string): Promise<string | null> {
  if (!globalThis.isSecureContext) {
    return null;
  }
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

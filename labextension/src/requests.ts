/**
 * What was asked of the kernel on one comm and is not answered yet.
 *
 * Rule: every promise given out is settled: by the reply, or when the comm is gone.
 */
import type { JSONObject } from '@lumino/coreutils';

import type { IReply, IRequest } from './protocol';

/** The kernel said no, or nobody is there to answer. The text is a sentence for the user. */
export class Problem extends Error {}

interface IOpen {
  resolve: (data: JSONObject) => void;
  reject: (problem: Problem) => void;
}

export class Requests {
  /** A promise of the data of the reply to `do`; `send` puts the request on the comm. */
  ask(verb: string, fields: JSONObject, send: (request: IRequest) => void): Promise<JSONObject> {
    const id = this._next++;
    return new Promise((resolve, reject) => {
      this._open.set(id, { resolve, reject });
      send({ ...fields, kind: 'request', id, do: verb });
    });
  }

  /** A reply came. One that nobody waits for is passed over. */
  settle(reply: IReply): void {
    const open = this._open.get(reply.id);
    this._open.delete(reply.id);
    if (reply.problem) {
      open?.reject(new Problem(reply.problem));
    } else {
      open?.resolve(reply.data);
    }
  }

  /** Nobody will answer any more. */
  forget(why: string): void {
    const open = [...this._open.values()];
    this._open.clear();
    open.forEach(each => {
      each.reject(new Problem(why));
    });
  }

  private readonly _open = new Map<number, IOpen>();
  private _next = 1;
}

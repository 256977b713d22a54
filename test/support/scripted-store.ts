/**
 * A store whose reads the test answers: at once, or each by a promise that is kept when the test says
 * so. What an answer holds was true when it was asked for, or when it was given; a store may do both.
 */
import { MemoryStore } from "../../server/store/memory-store.ts";
import type { ReadResult, Store } from "../../server/store/store.ts";

export interface ScriptedStore extends Store {
  /** How many reads have been asked for. */
  readonly reads: number;
  /** How many wait for `answer`. */
  readonly waiting: number;
  /** Answers the oldest read that waits, by what was there when it was asked, or is there `now`. */
  answer(options?: { now?: boolean; error?: Error }): void;
}

interface Question {
  readonly then: ReadResult;
  readonly now: () => ReadResult;
  readonly resolve: (result: ReadResult) => void;
  readonly reject: (error: Error) => void;
}

export function scriptedStore({ atOnce }: { atOnce: boolean }): ScriptedStore {
  const store = new MemoryStore();
  const questions: Question[] = [];
  let reads = 0;
  return {
    create: (topic) => store.create(topic),
    append: (topic, event) => store.append(topic, event),
    ends: (topic) => store.ends(topic),
    topics: () => store.topics(),
    watch: (topic, ring) => store.watch(topic, ring),
    close: () => store.close(),
    read: (topic, after, limits) => {
      reads += 1;
      const now = () => store.read(topic, after, limits);
      if (atOnce) return now();
      const then = now();
      return new Promise((resolve, reject) => {
        questions.push({ then, now, resolve, reject });
      });
    },
    get reads() {
      return reads;
    },
    get waiting() {
      return questions.length;
    },
    answer: ({ now = false, error } = {}) => {
      const question = questions.shift();
      if (error) question?.reject(error);
      else question?.resolve(now ? question.now() : question.then);
    },
  };
}

/** Values kept in this browser's database: unlike localStorage it holds files, and survives a reload. */

const NAME = "pixelmill";
const STORE = "kept";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The browser's storage is closed."));
  });
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("The browser's storage is full."));
    });
  } finally {
    database.close();
  }
}

export const kept = {
  get: <T>(key: string) => run<T | undefined>("readonly", (store) => store.get(key) as IDBRequest<T | undefined>),
  put: (key: string, value: unknown) => run("readwrite", (store) => store.put(value, key)),
  delete: (key: string) => run("readwrite", (store) => store.delete(key)),
};

// @benign rejections.js
// @what rejections that are caught late, caught by the process, or not at all, and errors that the program survives
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=unhandled late\nhandled later true\nuncaught oops uncaughtException\nAggregateError 2\nfulfilled,rejected\nexit 0
const promise = Promise.reject(new Error('late'));
process.on('unhandledRejection', (reason) => {
  console.log('unhandled', reason.message);
  setTimeout(() => promise.catch(() => {}), 1);
});
process.on('rejectionHandled', (which) => {
  console.log('handled later', which === promise);
  setTimeout(() => { throw new Error('oops'); }, 1);
});
process.on('uncaughtException', async (error, origin) => {
  console.log('uncaught', error.message, origin);
  await Promise.any([Promise.reject(1), Promise.reject(2)]).catch((e) => console.log(e.name, e.errors.length));
  console.log((await Promise.allSettled([1, Promise.reject(2)])).map((r) => r.status).join());
});
process.on('exit', (code) => console.log('exit', code));

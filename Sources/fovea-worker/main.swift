import FoveaWorker
import Glibc

// _exit: a plugin's destructors have nothing to do that the kernel does not do better.
_exit(WorkerMain.run(arguments: Array(CommandLine.arguments.dropFirst())))

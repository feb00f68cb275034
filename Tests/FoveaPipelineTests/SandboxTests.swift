import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// What a taken-over worker could do. A classifier compiled here tries it all in `process` once it sees a white
/// image (after the seal: the golden images are dark), and says by its scores what succeeded: the first class stands
/// for "nothing".
@Suite struct SandboxTests {
    static let attempts = [
        "nothing", "read a file", "write a file", "TCP", "unix socket", "fork", "signal the parent", "memfd",
        "io_uring", "thread", "a gigabyte", "the model again",
    ]

    private static let source = """
        #define _GNU_SOURCE
        #include "fovea_plugin.h"
        #include <fcntl.h>
        #include <pthread.h>
        #include <signal.h>
        #include <string.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static char model[4096], scratch[4200];
        static void *nothing(void *p) { return p; }
        static int opens(const char *path, int flags) {
            int fd = open(path, flags, 0600);
            if (fd >= 0) close(fd);
            return fd >= 0;
        }
        static int attempt(int k) {
            int fd; pid_t pid; pthread_t thread; char parameters[256] = {0}; void *p;
            switch (k) {
            case 1: return opens("/etc/passwd", O_RDONLY);
            case 2: return opens(scratch, O_WRONLY | O_CREAT);
            case 3: return socket(AF_INET, SOCK_STREAM, 0) >= 0;
            case 4: return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
            case 5: pid = fork(); if (pid == 0) _exit(0);
                if (pid > 0) waitpid(pid, NULL, 0);
                return pid > 0;
            case 6: return kill(getppid(), 0) == 0;
            case 7: fd = memfd_create("x", 0); return fd >= 0;
            case 8: return syscall(SYS_io_uring_setup, 4, parameters) >= 0;
            case 9: if (pthread_create(&thread, NULL, nothing, NULL) != 0) return 0;
                pthread_join(thread, NULL); return 1;
            case 10: p = mmap(NULL, 1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (p != MAP_FAILED) munmap(p, 1 << 30);
                return p != MAP_FAILED;
            case 11: return opens(model, O_RDONLY);
            }
            return 0;
        }
        static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
            (void)e;
            strcpy(model, a->model_directory); strcat(model, "/config.json");
            strcpy(scratch, a->model_directory); strcat(scratch, "/../scratch");
            *i = (fovea_instance *)model;
            return FOVEA_OK;
        }
        static void destroy(fovea_instance *i) { (void)i; }
        static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
            (void)i; (void)e;
            for (int n = 0; n < s.count; n++) {
                const float *image = (const float *)in + (size_t)n * s.height * s.width * 3;
                float *row = (float *)out + n * 12, sum = 0;
                memset(row, 0, 12 * sizeof(float));
                if (image[0] > 0.99f) for (int k = 1; k < 12; k++) sum += row[k] = attempt(k) ? 1.0f : 0.0f;
                if (sum == 0) row[0] = sum = 1;
                for (int k = 0; k < 12; k++) row[k] /= sum;
            }
            return FOVEA_OK;
        }
        static const fovea_plugin plugin = {FOVEA_ABI_VERSION, sizeof(fovea_plugin), FOVEA_CLASSIFIER, "burglar", "1", "t",
            create, destroy, process, NULL, NULL};
        FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
        """

    /// What succeeded.
    private func succeeded(sandbox: Bool) throws -> (Set<String>, hello: WorkerHello) {
        let folder = try TemporaryFolder()
        try compilePlugin("burglar", Self.source, in: folder)
        let path = folder.path.appending("model")
        try Files.makeDirectory(path)
        let stages = [
            StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
            StageConfiguration(plugin: "burglar", parameters: .object([:])),
        ]
        try ModelFolder.write(
            path,
            configuration: ModelConfiguration(
                name: "burglar", version: "1", description: "", labels: Self.attempts,
                input: .init(height: 4, width: 4), chain: stages), weights: nil,
            golden: GoldenSet(
                count: 1, height: 4, width: 4, classes: 12, inputs: [UInt8](repeating: 0, count: 48),
                scores: [1] + [Float](repeating: 0, count: 11)))
        let client = try startWorker(model: path, plugins: [folder.path], sandbox: sandbox)
        defer { client.end() }
        let hello = try client.waitForHello()
        let white = SyntheticImage.blob(width: 4, height: 4, red: 300, green: 300, blue: 300, seed: 1)
        let file = try memory(white.png)
        defer { try? file.close() }
        let scores = try client.classify(descriptors: [file])[0].get().probabilities
        return (Set(zip(Self.attempts, scores).filter { $0.1 > 0 }.map(\.0)), hello)
    }

    @Test func nothingSucceedsInside() throws {
        let (inside, hello) = try succeeded(sandbox: true)
        #expect(inside == ["nothing"])
        #expect(hello.sandbox.contains("seccomp") && hello.sandbox.contains("rlimits"))
    }

    /// The same attempts do succeed without the sandbox, so the test above means something.
    @Test func theAttemptsAreReal() throws {
        let (outside, hello) = try succeeded(sandbox: false)
        #expect(hello.sandbox == "none")
        // io_uring is switched off on many machines.
        #expect(outside.union(["io_uring"]) == Set(Self.attempts.dropFirst()))
    }

    @Test func pluginsThatStartThreadsAreRefused() throws {
        let folder = try TemporaryFolder()
        let start =
            "static void *wait_for_ever(void *p) { for (;;) pause(); return p; }\n"
            + "__attribute__((constructor)) static void begin(void) { pthread_t t; pthread_create(&t, NULL, wait_for_ever, NULL); }\n"
        let marker = "static char model"
        let parts = Self.source.split(separator: marker, maxSplits: 1)
        try compilePlugin("burglar", "\(parts[0])\(start)\(marker)\(parts[1])", in: folder)
        let path = folder.path.appending("model")
        try Files.makeDirectory(path)
        try ModelFolder.write(
            path,
            configuration: ModelConfiguration(
                name: "burglar", version: "1", description: "", labels: Self.attempts,
                input: .init(height: 4, width: 4),
                chain: [
                    StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
                    StageConfiguration(plugin: "burglar", parameters: .object([:])),
                ]), weights: nil,
            golden: GoldenSet(
                count: 1, height: 4, width: 4, classes: 12, inputs: [UInt8](repeating: 0, count: 48),
                scores: [1] + [Float](repeating: 0, count: 11)))
        let client = try startWorker(model: path, plugins: [folder.path])
        defer { client.end() }
        do {
            try client.waitForHello()
            Issue.record("a worker with two threads serves")
        } catch WorkerClientError.fault(let fault) {
            #expect(fault.code == "sandbox" && fault.text.contains("2 threads"))
        }
    }
}

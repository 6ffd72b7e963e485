// Counts GPUs by the driver's own library, which it finds as any program does:
// by the dynamic linker's cache. Prints "devices N".
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
	void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
	if (!cuda) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(cuda, "cuInit");
	int (*count)(int *) = (int (*)(int *))dlsym(cuda, "cuDeviceGetCount");
	if (!init || !count) {
		fprintf(stderr, "libcuda lacks cuInit or cuDeviceGetCount\n");
		return 1;
	}
	int n = 0, err = init(0);
	if (!err)
		err = count(&n);
	if (err) {
		fprintf(stderr, "CUDA says error %d\n", err);
		return 1;
	}
	printf("devices %d\n", n);
	return 0;
}

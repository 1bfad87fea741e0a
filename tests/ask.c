/* Asks a SavedModel of texts by TensorFlow's C API: no Python.
   ask DIRECTORY INPUT OUTPUT ... < texts, one a line; inputs and outputs are names of operations and an index, as serving_default_text:0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensorflow/c/c_api.h"

enum { MOST = 256 };

static void check(const TF_Status *status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s\n", TF_Message(status));
  exit(1);
}

static TF_Output named(TF_Graph *graph, const char *name) {
  char operation[256];
  TF_Output found = {NULL, 0};
  sscanf(name, "%255[^:]:%d", operation, &found.index);
  found.oper = TF_GraphOperationByName(graph, operation);
  if (found.oper == NULL) exit(2);
  return found;
}

static void keep(void *data, size_t length, void *unused) { (void)data, (void)length, (void)unused; }

static void show(const char *name, TF_Tensor *tensor) {
  printf("%s", name);
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
    const TF_TString *texts = TF_TensorData(tensor);
    if (TF_TensorType(tensor) == TF_STRING)
      printf("\t%.*s", (int)TF_TString_GetSize(texts + i), TF_TString_GetDataPointer(texts + i));
    else if (TF_TensorType(tensor) == TF_INT32)
      printf("\t%d", ((const int *)TF_TensorData(tensor))[i]);
    else
      printf("\t%.9g", ((const float *)TF_TensorData(tensor))[i]);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  const char *tag = "serve";
  TF_Session *session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], &tag, 1, graph, NULL, status);
  check(status);
  static TF_TString texts[MOST];
  char line[4096];
  int64_t count = 0;
  for (; count < MOST && fgets(line, sizeof line, stdin) != NULL; count++) {
    TF_TString_Init(&texts[count]);
    TF_TString_Copy(&texts[count], line, strcspn(line, "\n"));
  }
  TF_Tensor *given = TF_NewTensor(TF_STRING, &count, 1, texts, count * sizeof *texts, keep, NULL);
  TF_Output input = named(graph, argv[2]), outputs[MOST];
  TF_Tensor *answers[MOST];
  for (int i = 3; i < argc; i++) outputs[i - 3] = named(graph, argv[i]);
  TF_SessionRun(session, NULL, &input, &given, 1, outputs, answers, argc - 3, NULL, 0, NULL, status);
  check(status);
  for (int i = 3; i < argc; i++) show(argv[i], answers[i - 3]);
  return 0;
}

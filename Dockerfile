# docker build -t digits .
# docker run --init -p 127.0.0.1:8501:8501 -v digits:/store digits
# All steps are in docker/steps.sh; docs/start.md says more.
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
COPY docker ./docker
RUN sh docker/steps.sh install
COPY . .
RUN sh docker/steps.sh user
USER student
ENV MNIST_CORE_STORE=/store KERAS_HOME=/store/.keras PYTHONUNBUFFERED=1
VOLUME /store
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["sh", "docker/steps.sh", "health"]
ENTRYPOINT ["sh", "docker/steps.sh", "serve"]
